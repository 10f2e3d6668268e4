"""Opening the store for reading, beside a running daemon."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from watcher.config import Config
    from watcher.store.views import Views

UNIT_HINT: Final = (
    "where the watcher runs as a systemd unit, its store is in the unit's state folder: set STATE_DIRECTORY to that, "
    "e.g. STATE_DIRECTORY=/var/lib/aitems-watcher"
)


@contextmanager
def reading(config: Config, environ: Mapping[str, str]) -> Iterator[Views]:
    """Open the views of the configuration's store.

    Raises:
        StoreUnusable: there is none, or it cannot be read.
    """
    from watcher.store.errors import StoreUnusable
    from watcher.store.views import open_views

    path = config.state.sqlite_path(environ)
    try:
        require_store(config, environ)
        with open_views(path) as views:
            yield views
    except PermissionError as error:
        raise StoreUnusable(f"cannot read {path}: {error.strerror}; run this as the watcher's user") from error


def require_store(config: Config, environ: Mapping[str, str]) -> Path:
    """Return the file of the configuration's store.

    Raises:
        StoreUnusable: there is none.
    """
    from watcher.store.errors import StoreUnusable

    path = config.state.sqlite_path(environ)
    if path.exists():
        return path
    hint = "" if config.state.url or "STATE_DIRECTORY" in environ else f"\n{UNIT_HINT}"
    raise StoreUnusable(f"there is no store at {path}; start the watcher once, or name the right configuration{hint}")
