"""A change of the store by a command: over the control socket of the daemon that holds it, else alone with it."""

from __future__ import annotations

import os
from collections.abc import Callable, Coroutine, Mapping
from typing import TYPE_CHECKING

from watcher.cli.reading import require_store

if TYPE_CHECKING:
    from watcher.clock import Clock
    from watcher.config import Config
    from watcher.store.database import Database

Answer = Mapping[str, object]
Alone = Callable[["Database", "Clock"], Coroutine[object, object, Answer]]
"""What does the same without a daemon."""


def change(settings: Config, command: str, arguments: Mapping[str, object], alone: Alone) -> Answer:
    """Ask the daemon that holds the store; where none does, hold it for this moment.

    Raises:
        ControlError: it is refused.
        StoreError: there is no store, or it cannot be used.
    """
    from watcher.control.client import request
    from watcher.control.place import link_path
    from watcher.control.protocol import NoDaemonError

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
    from watcher.store.database import open_database

    clock = Clock()
    database = open_database(settings.state.sqlite_path(os.environ), purpose=command, now=clock.utc_now())
    try:
        return run_async(alone(database, clock))
    finally:
        database.close()
