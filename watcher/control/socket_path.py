"""The path of the socket: in the unit's runtime folder or beside the store; a link beside the store leads to it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

MAX_PATH_BYTES: Final = 107
"""``sun_path`` without its final zero byte, see unix(7)."""
SOCKET_NAME: Final = "control.sock"
UNIT_FOLDER: Final = Path("/run/aitems-watcher")
"""``RuntimeDirectory`` of the unit."""


def link_path(database: Path) -> Path:
    """Return the path beside the store that leads to its daemon's socket."""
    return database.with_name(database.name + ".sock")


def socket_path(database: Path, environ: Mapping[str, str]) -> Path:
    """Return the path at which the daemon makes its socket."""
    folder = unit_folder(environ)
    # In the unit's folder the name does not depend on the store: the file may name another store before a restart.
    return link_path(database) if folder is None else folder / SOCKET_NAME


def unit_folder(environ: Mapping[str, str]) -> Path | None:
    """Return the unit's runtime folder.

    ``RUNTIME_DIRECTORY`` may hold several folders, separated by colons; the first counts. See systemd.exec(5).
    """
    folder = environ.get("RUNTIME_DIRECTORY", "").partition(":")[0]
    return Path(folder) if folder else None


@contextmanager
def address_of(path: Path) -> Iterator[str]:
    """Give the address to bind or connect to.

    A path that is too long for a socket is replaced by one through the descriptor of its folder.
    """
    if len(os.fsencode(path)) <= MAX_PATH_BYTES:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


def replace_link(link: Path, target: Path) -> None:
    """Make ``link`` lead to the socket, in place of a link that a dead daemon left."""
    link.unlink(missing_ok=True)
    link.symlink_to(target)


def remove(path: Path) -> None:
    """Remove a socket or a link; ignore a failure."""
    with suppress(OSError):
        path.unlink()
