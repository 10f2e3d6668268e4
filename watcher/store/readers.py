"""Open a store for reading by its URL: the one portable module that chooses a database."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from sqlalchemy import Engine

from watcher.store.errors import StoreTooNew, StoreUnusable
from watcher.store.migrations.schema_version import revision_in, this_revision
from watcher.store.sqlite import connections, disk_reserve
from watcher.store.sqlite.reading import reading_remedy
from watcher.store.url import sqlite_path

MIGRATE: Final = "`aitems-watcher migrate`"


@lru_cache(maxsize=2)
def reader_engine(url: str) -> Engine:
    """Return an engine that can only read, the same for each read of a store.

    It keeps the statements that it has compiled, and no connection. To compile those of a page takes longer than to
    execute them.

    Raises:
        StoreUnusable: the URL is of no store that can be read.
    """
    return connections.reader_engine(sqlite_path(url))


def store_bytes(url: str) -> int:
    """Return the size of the store on its disk, in bytes."""
    return disk_reserve.file_bytes(sqlite_path(url))


def remedy_for(url: str) -> str:
    """Return the remedy for a store that cannot be read: for its schema where that is the cause."""
    try:
        revision = revision_in(url)
    except StoreTooNew as error:
        return f"{error}"
    except StoreUnusable:
        return reading_remedy(sqlite_path(url))
    if revision == this_revision():
        return reading_remedy(sqlite_path(url))
    return f"it has schema {revision}, this version needs {this_revision()}: stop the watcher and run {MIGRATE}"


def place_of(url: str) -> str:
    """Return the place of a store as messages name it, without a password."""
    return str(sqlite_path(url))
