"""Opening the store for reading, beside a running daemon."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
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
        if not config.state.url and "STATE_DIRECTORY" not in environ and not path.exists():
            raise StoreUnusable(f"there is no store at {path}; start the watcher once\n{UNIT_HINT}")
        with open_views(path) as views:
            yield views
    except PermissionError as error:
        raise StoreUnusable(f"cannot read {path}: {error.strerror}; run this as the watcher's user") from error
