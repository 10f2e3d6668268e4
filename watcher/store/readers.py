"""Open a store for reading by its URL: the one portable module that chooses a database."""

from __future__ import annotations

from sqlalchemy import Engine

from watcher.store.sqlite import connections, disk_reserve
from watcher.store.sqlite.reading import reading_remedy
from watcher.store.url import sqlite_path


def reader_engine(url: str) -> Engine:
    """Return an engine that can only read.

    Raises:
        StoreUnusable: there is no store at this URL.
    """
    return connections.reader_engine(sqlite_path(url))


def store_bytes(url: str) -> int:
    """Return the size of the store on its disk, in bytes."""
    return disk_reserve.file_bytes(sqlite_path(url))


def remedy_for(url: str) -> str:
    """Return the remedy for a store that cannot be read."""
    return reading_remedy(sqlite_path(url))


def place_of(url: str) -> str:
    """Return the place of a store as messages name it, without a password."""
    return str(sqlite_path(url))
