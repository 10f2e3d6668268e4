"""Where the socket is: in the unit's runtime folder or beside the store, and always found from beside the store."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

LONGEST_BYTES: Final = 107
"""``sun_path`` without its end, see unix(7)."""
NAME: Final = "control.sock"


def link_path(database: Path) -> Path:
    """Return the path that leads to the daemon of this store, wherever its socket is."""
    return database.with_name(database.name + ".sock")


def socket_path(database: Path, environ: Mapping[str, str]) -> Path:
    """Return where the daemon makes its socket.

    systemd.exec(5), "RuntimeDirectory=": several folders are joined with colons; the first is taken.
    """
    folder = environ.get("RUNTIME_DIRECTORY", "").partition(":")[0]
    # Within the unit its name does not depend on the store's, which may be another in a file that is reloaded.
    return Path(folder) / NAME if folder else link_path(database)


@contextmanager
def address_of(path: Path) -> Iterator[str]:
    """Give what to bind or connect to: the path, or a way through its folder's descriptor where it is too long."""
    if len(os.fsencode(path)) <= LONGEST_BYTES:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


def point_to(link: Path, target: Path) -> None:
    """Let ``link`` lead to the socket; what was there before is a dead daemon's."""
    link.unlink(missing_ok=True)
    link.symlink_to(target)


def remove(path: Path) -> None:
    """Remove a socket or a link to one, if it can be."""
    with suppress(OSError):
        path.unlink()
