"""The SQLite file: opening, checking, migrating, one writer thread and read-only readers.

The writer's engine alone starts its transactions with ``BEGIN IMMEDIATE``, so that a read followed by a write
cannot fail half way; readers have an engine of their own and never wait for the writer.
"""

from __future__ import annotations

import asyncio
import math
import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from watcher.core.timestamps import to_text
from watcher.store.epoch import first_epoch, new_epoch, restored_at
from watcher.store.errors import BackupError, StoreUnusable
from watcher.store.sqlite.backup import backup_time
from watcher.store.sqlite.backup_folder import BackupFolder
from watcher.store.sqlite.connections import writer_engine
from watcher.store.sqlite.disk_reserve import Reserve
from watcher.store.sqlite.integrity import EPOCH_NOTED, LOG_NOTED, Condition
from watcher.store.sqlite.lock import FileLock
from watcher.store.sqlite.recovery import Found, Recovery, find, replace_store
from watcher.store.sqlite.write_faults import WriteFault, fault_of

T = TypeVar("T")

PATIENCE_SECONDS: Final = 30.0
"""How long a write waits for another process to let the file go, what waits before it in the queue included."""
TRY_MILLISECONDS: Final = 1_000
"""How long SQLite waits in one try."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """What opening the store found and did."""

    epoch: str
    created: bool
    """Whether the file was made anew."""
    restored_at: datetime | None
    """Until when the store was another, newer one, now or earlier."""
    recovery: Recovery | None = None
    """Set when it was this opening that found it to be an older one."""
    migrated_from: str | None = None
    """The schema that was brought up to date."""
    backup: Path | None = None
    """The backup that was made before that."""


class Database:
    """One open store file; made by ``open_database``, closed by ``close``."""

    def __init__(self, path: Path, engine: Engine, lock: FileLock, opening: Opening) -> None:
        self.path = path
        self.opening = opening
        self.reserve = Reserve(path)
        self.failing: WriteFault | None = None
        """Why the latest write did not pass."""
        self._engine = engine
        self._lock = lock
        self._closing_at = math.inf
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="store-writer")

    @property
    def epoch(self) -> str:
        """The store's epoch, part of every event's id."""
        return self.opening.epoch

    @property
    def created(self) -> bool:
        """Whether the file was made anew by this opening."""
        return self.opening.created

    @property
    def restored_at(self) -> datetime | None:
        """Until when the store was another, newer one."""
        return self.opening.restored_at

    async def write(self, work: Callable[[Connection], T]) -> T:
        """Run ``work`` in one transaction on the writer thread; it commits when ``work`` returns."""
        # Shielded, since a caller that goes away must not leave it open whether the commit happened.
        end = time.monotonic() + PATIENCE_SECONDS
        future = asyncio.get_running_loop().run_in_executor(self._thread, self._persist, work, end)
        return await asyncio.shield(future)

    def last_call(self, seconds: float) -> None:
        """Wait for another process no longer than so many seconds from now, in all: the program is about to end."""
        self._closing_at = time.monotonic() + seconds

    def _persist(self, work: Callable[[Connection], T], end: float) -> T:
        """Make the transaction again where that can help; what did not commit has left nothing."""
        if self.failing is WriteFault.LOCKED and time.monotonic() >= self._closing_at:
            raise StoreUnusable("another process still holds the store; this is left to the next start")
        while True:
            try:
                result, wrote = self._transact(work)
            except DBAPIError as error:
                fault = fault_of(error)
                if fault is None:
                    raise
                self.failing = fault
                if not self._worth_another(fault, end):
                    raise
            else:
                if wrote or self.failing is WriteFault.LOCKED:
                    # What changed nothing shows nothing of a disk, but that nobody holds the file.
                    self.failing = None
                return result

    def _worth_another(self, fault: WriteFault, end: float) -> bool:
        if fault is WriteFault.FULL:
            return self.reserve.give_up()
        return fault is WriteFault.LOCKED and time.monotonic() < min(end, self._closing_at)

    def _transact(self, work: Callable[[Connection], T]) -> tuple[T, bool]:
        """Return the work's result, and whether it changed anything."""
        with self._engine.begin() as connection:
            before = _total_changes(connection)
            result = work(connection)
            return result, _total_changes(connection) != before

    def close(self) -> None:
        """Finish the running write, fold the write-ahead log into the file and drop the lock."""
        self._thread.shutdown(wait=True)
        # From here on a missing log is no loss: closing folds it into the file and removes it.
        self._lock.note({EPOCH_NOTED: self.epoch})
        self._engine.dispose()
        self._lock.release()


def _total_changes(connection: Connection) -> int:
    file: sqlite3.Connection = connection.connection.driver_connection  # type: ignore[assignment]  # it is SQLite's
    return file.total_changes


def open_database(path: Path, *, purpose: str, now: datetime) -> Database:
    """Open the store at ``path`` for writing; make it when it is not there.

    Raises:
        StoreInUse: another process holds it.
        StoreTooNew: a later version of the watcher made it.
        StoreDamaged: it is damaged, and no automatic backup can take its place.
        StoreUnusable: it is not a store, or the folder cannot be written.
        BackupError: its schema is an older one, and the backup that goes before a migration cannot be made.
    """
    _make_folder(path)
    lock = FileLock(path)
    lock.acquire(purpose, now)
    try:
        return _open_locked(path, lock, now)
    except BaseException:
        lock.release()
        raise


def restore_database(path: Path, backup: Path | None, *, now: datetime) -> Database:
    """Put a backup (``None``: the newest sound automatic one) in the place of the store and open it.

    Raises:
        StoreInUse: another process holds the store.
        BackupError: there is no such backup, or it is not sound.
    """
    _make_folder(path)
    lock = FileLock(path)
    lock.acquire("restore", now)
    try:
        made_at, chosen = _chosen_backup(path, backup)
        aside = replace_store(path, chosen, now)
        recovery = Recovery(
            reason="asked-for",
            problem="a backup was asked for",
            backup=str(chosen),
            backup_made_at=to_text(made_at),
            set_aside=aside,
        )
        return _opened(path, lock, Found(condition=Condition.BACKUP, recovery=recovery), now)
    except BaseException:
        lock.release()
        raise


def _chosen_backup(path: Path, backup: Path | None) -> tuple[datetime, Path]:
    if backup is not None:
        return backup_time(backup), backup
    newest = BackupFolder(path).newest_sound()
    if newest is None:
        raise BackupError(f"there is no sound automatic backup in {BackupFolder(path).folder}; name one")
    return newest


def _open_locked(path: Path, lock: FileLock, now: datetime) -> Database:
    return _opened(path, lock, find(path, lock.left_behind, now), now)


def _opened(path: Path, lock: FileLock, found: Found, now: datetime) -> Database:
    _make_private(path)
    engine = writer_engine(path)
    try:
        opening = _with_room(path, lambda: _bring_up(path, engine, found, now))
    except SQLAlchemyError as error:
        engine.dispose()
        raise StoreUnusable(f"cannot use {path}: {error}") from error
    except BaseException:
        engine.dispose()
        raise
    _shorten_waits(engine)
    lock.note({EPOCH_NOTED: opening.epoch, LOG_NOTED: True})
    return Database(path, engine, lock, opening)


def _make_private(path: Path) -> None:
    """Make a new file readable for this user alone; SQLite gives its companions the same rights."""
    # What is wrong with the place is said by opening it.
    with suppress(OSError):
        if not path.exists():
            path.touch(mode=0o600)


def _shorten_waits(engine: Engine) -> None:
    """Let a try be short from here on, so that nobody in the queue waits for the patience of all before."""
    with closing(engine.raw_connection()) as connection:
        connection.cursor().execute(f"PRAGMA busy_timeout = {TRY_MILLISECONDS}")


def _with_room(path: Path, work: Callable[[], T]) -> T:
    """Do it again with the reserve given up, where the disk is full."""
    try:
        return work()
    except DBAPIError as error:
        if fault_of(error) is not WriteFault.FULL or not Reserve(path).give_up():
            raise
        return work()


def _bring_up(path: Path, engine: Engine, found: Found, now: datetime) -> Opening:
    """Migrate, and begin a new epoch where the store is an older one than it was."""
    # Alembic is slow to import, and who only reads the store does without it.
    from watcher.store.migrate import revision_of, upgrade  # noqa: PLC0415 - see above

    old = backup = None
    if found.condition is not Condition.NEW:
        with engine.begin() as connection:
            old = revision_of(connection)
        backup = BackupFolder(path).add(now) if old is not None else None
    with engine.begin() as connection:
        upgrade(connection)
        epoch = first_epoch(connection, now)
        if found.recovery is not None and found.condition is not Condition.NEW:
            epoch = new_epoch(connection, found.recovery.reason, now)
        return Opening(
            epoch=epoch,
            created=found.condition is Condition.NEW,
            restored_at=restored_at(connection),
            recovery=found.recovery,
            migrated_from=old,
            backup=backup,
        )


def _make_folder(path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise StoreUnusable(f"cannot make the folder {path.parent}: {error.strerror}; set [state] url") from error
