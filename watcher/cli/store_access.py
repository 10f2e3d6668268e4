"""Access to the store from a command: read it beside a daemon, or change it through the daemon that holds it."""

from __future__ import annotations

import os
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from watcher.clock import Clock
    from watcher.config import Config
    from watcher.store.sqlite.database import Database
    from watcher.store.views import Views

UNIT_HINT: Final = (
    "where the watcher runs as a systemd unit, its store is in the unit's state folder: set STATE_DIRECTORY to that, "
    "e.g. STATE_DIRECTORY=/var/lib/aitems-watcher"
)
Answer = Mapping[str, object]
Alone = Callable[["Database", "Clock"], Coroutine[object, object, Answer]]
"""What does the same without a daemon."""


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
        with open_views(config.state.store_url(environ)) as views:
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


def change(settings: Config, command: str, arguments: Mapping[str, object], alone: Alone) -> Answer:
    """Ask the daemon that holds the store; where none does, hold it for this moment.

    Raises:
        ControlError: it is refused.
        StoreError: there is no store, or it cannot be used.
    """
    from watcher.control.client import request
    from watcher.control.protocol import NoDaemonError
    from watcher.control.socket_path import link_path

    path = settings.state.sqlite_path(os.environ)
    try:
        return request(link_path(path), command, arguments)
    except NoDaemonError:
        # A store that is not there is not made by this.
        require_store(settings, os.environ)
        return _alone(settings, command, alone)


def _alone(settings: Config, command: str, alone: Alone) -> Answer:
    from watcher.cli.runtime import run_async
    from watcher.clock import Clock
    from watcher.store.sqlite.database import open_database

    clock = Clock()
    database = open_database(settings.state.sqlite_path(os.environ), purpose=command, now=clock.utc_now())
    try:
        return run_async(alone(database, clock))
    finally:
        database.close()
