"""Connections to the SQLite file: one that writes, and others that only read."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.pool import NullPool, StaticPool

from watcher.store.errors import StoreUnusable
from watcher.store.sqlite.free_pages import INCREMENTAL
from watcher.store.sqlite.integrity import BUSY_TIMEOUT_SECONDS
from watcher.store.sqlite.library import check_library
from watcher.store.sqlite.reading import reading_address


def writer_engine(path: Path) -> Engine:
    """Return the engine of the one writing connection."""

    def connect() -> sqlite3.Connection:
        return sqlite3.connect(path, timeout=BUSY_TIMEOUT_SECONDS, check_same_thread=False, isolation_level=None)

    engine = create_engine("sqlite://", creator=connect, poolclass=StaticPool)

    @event.listens_for(engine, "connect")
    def _on_connect(connection: sqlite3.Connection, _record: object) -> None:
        # Before the first page, as only then a file takes it. Later it would write to a store that may be refused.
        if connection.execute("PRAGMA page_count").fetchone() == (0,):
            connection.execute(INCREMENTAL)
        connection.execute("PRAGMA journal_mode=WAL")
        # NORMAL may lose the last commits at a power loss: an alert would be sent again, or never.
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA foreign_keys=ON")

    @event.listens_for(engine, "begin")
    def _on_begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


def reader_engine(path: Path) -> Engine:
    """Return an engine that can only read; it opens the file anew for each connection.

    A connection raises ``StoreUnusable`` where there is no store.

    Raises:
        StoreUnusable: the SQLite library is too old.
    """
    check_library()

    def connect() -> sqlite3.Connection:
        if not path.exists():
            raise StoreUnusable(f"there is no store at {path}; start the watcher once, or name the right configuration")
        return sqlite3.connect(reading_address(path), uri=True, timeout=BUSY_TIMEOUT_SECONDS, isolation_level=None)

    engine = create_engine("sqlite://", creator=connect, poolclass=NullPool)

    @event.listens_for(engine, "begin")
    def _on_begin(connection: Connection) -> None:
        # With BEGIN all reads of one command see the store at the same point in time.
        connection.exec_driver_sql("BEGIN")

    return engine
