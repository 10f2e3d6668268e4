"""The SQLite file: opening, checking, migrating, one writer thread and read-only readers.

The writer's engine alone starts its transactions with ``BEGIN IMMEDIATE``, so that a read followed by a write
cannot fail half way; readers have an engine of their own and never wait for the writer.
"""

from __future__ import annotations

import asyncio
import secrets
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Final, TypeVar
from urllib.parse import quote

from sqlalchemy import Connection, Engine, create_engine, event, insert, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool, StaticPool

from watcher.core.moment import to_text
from watcher.store import schema
from watcher.store.errors import StoreUnusable
from watcher.store.lock import FileLock

T = TypeVar("T")

BUSY_TIMEOUT_SECONDS: Final = 30
EPOCH_BYTES: Final = 8


class Database:
    """One open store file; made by ``open_database``, closed by ``close``."""

    def __init__(self, path: Path, engine: Engine, lock: FileLock, epoch: str, *, created: bool) -> None:
        self.path = path
        self.epoch = epoch
        self.created = created
        """Whether the file was made anew by this opening."""
        self._engine = engine
        self._lock = lock
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="store-writer")

    async def write(self, work: Callable[[Connection], T]) -> T:
        """Run ``work`` in one transaction on the writer thread; it commits when ``work`` returns."""
        # Shielded, since a caller that goes away must not leave it open whether the commit happened.
        future = asyncio.get_running_loop().run_in_executor(self._thread, self._transact, work)
        return await asyncio.shield(future)

    def _transact(self, work: Callable[[Connection], T]) -> T:
        with self._engine.begin() as connection:
            return work(connection)

    def close(self) -> None:
        """Finish the running write, fold the write-ahead log into the file and drop the lock."""
        self._thread.shutdown(wait=True)
        self._engine.dispose()
        self._lock.release()


def open_database(path: Path, *, purpose: str, now: datetime) -> Database:
    """Open the store at ``path`` for writing; make it when it is not there.

    Raises:
        StoreInUse: another process holds it.
        StoreTooNew: a later version of the watcher made it.
        StoreUnusable: it is not a store, or damaged, or the folder cannot be written.
    """
    _make_folder(path)
    lock = FileLock(path)
    lock.acquire(purpose, now)
    try:
        return _open_locked(path, lock, now)
    except BaseException:
        lock.release()
        raise


def _open_locked(path: Path, lock: FileLock, now: datetime) -> Database:
    # Alembic is slow to import, and who only reads the store does without it.
    from watcher.store.migrate import upgrade  # noqa: PLC0415 - see above

    created = not path.exists() or path.stat().st_size == 0
    if not created:
        check_sound(path)
    engine = writer_engine(path)
    try:
        with engine.begin() as connection:
            upgrade(connection)
            epoch = _epoch(connection, now)
    except SQLAlchemyError as error:
        engine.dispose()
        raise StoreUnusable(f"cannot use {path}: {error}") from error
    return Database(path, engine, lock, epoch, created=created)


def _make_folder(path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise StoreUnusable(f"cannot make the folder {path.parent}: {error.strerror}; set [state] url") from error


def check_sound(path: Path) -> None:
    """Read the whole file once; raise ``StoreUnusable`` when it is damaged or no database."""
    try:
        with closing(sqlite3.connect(path, timeout=BUSY_TIMEOUT_SECONDS)) as connection:
            verdict = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    except sqlite3.Error as error:
        raise StoreUnusable(_damaged(path, str(error))) from error
    if verdict != "ok":
        raise StoreUnusable(_damaged(path, verdict))


def _damaged(path: Path, problem: str) -> str:
    return f"{path} is damaged or not a store ({problem}); put a backup in its place, or move it away to start anew"


def writer_engine(path: Path) -> Engine:
    """Return the engine of the one writing connection."""

    def connect() -> sqlite3.Connection:
        return sqlite3.connect(path, timeout=BUSY_TIMEOUT_SECONDS, check_same_thread=False, isolation_level=None)

    engine = create_engine("sqlite://", creator=connect, poolclass=StaticPool)

    @event.listens_for(engine, "connect")
    def _on_connect(connection: sqlite3.Connection, _record: object) -> None:
        connection.execute("PRAGMA journal_mode=WAL")
        # FULL, since NORMAL may lose the last commits at power loss: an alert would be sent again or never.
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA foreign_keys=ON")

    @event.listens_for(engine, "begin")
    def _on_begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


def reader_engine(path: Path) -> Engine:
    """Return an engine that can only read; raise ``StoreUnusable`` when there is no store yet."""
    if not path.exists():
        raise StoreUnusable(f"there is no store at {path}; start the watcher once, or name the right configuration")
    address = f"file:{quote(str(path))}?mode=ro"

    def connect() -> sqlite3.Connection:
        return sqlite3.connect(address, uri=True, timeout=BUSY_TIMEOUT_SECONDS, isolation_level=None)

    engine = create_engine("sqlite://", creator=connect, poolclass=NullPool)

    @event.listens_for(engine, "begin")
    def _on_begin(connection: Connection) -> None:
        # A plain BEGIN gives all reads of one command the same moment of the file.
        connection.exec_driver_sql("BEGIN")

    return engine


def _epoch(connection: Connection, now: datetime) -> str:
    found = connection.scalar(select(schema.meta.c.value).where(schema.meta.c.key == "epoch"))
    if found is not None:
        return str(found)
    epoch = secrets.token_hex(EPOCH_BYTES)
    rows = [{"key": "epoch", "value": epoch}, {"key": "created_at", "value": to_text(now)}]
    connection.execute(insert(schema.meta), rows)
    return epoch
