"""The store in an SQLite file: open, check and migrate it, and write through one thread.

Only the writer starts its transactions with ``BEGIN IMMEDIATE``, so that a read followed by a write cannot fail half
way. Readers have their own engine and never wait for the writer.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Final, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from watcher.core.event import Restore
from watcher.core.timestamps import to_text
from watcher.store.errors import BackupError, StoreUnusable
from watcher.store.migrations.schema_version import check_known
from watcher.store.sql.write_faults import WriteFault
from watcher.store.sqlite import free_pages
from watcher.store.sqlite.backup import backup_time
from watcher.store.sqlite.backup_folder import BackupFolder
from watcher.store.sqlite.connections import writer_engine
from watcher.store.sqlite.disk_reserve import Reserve
from watcher.store.sqlite.group_commit import GroupCommit, file_of
from watcher.store.sqlite.integrity import EPOCH_NOTED, LOG_NOTED, Condition, check_pages
from watcher.store.sqlite.library import check_library
from watcher.store.sqlite.lock import DAEMON, FileLock
from watcher.store.sqlite.opening import Opening, prepare
from watcher.store.sqlite.owner import NotPlainFileError, check_plain, give_to_owner, make_folder, open_private
from watcher.store.sqlite.recovery import Found, Recovery, find, replace_store
from watcher.store.sqlite.revision import read_revision
from watcher.store.url import sqlite_url

T = TypeVar("T")

PATIENCE_SECONDS: Final = 30.0
"""The longest wait of a write for another process to release the file, with the wait in the queue."""
TRY_MILLISECONDS: Final = 1_000
"""The wait of SQLite in one try."""


class Database:
    """One open store file; made by ``open_database``, closed by ``close``."""

    def __init__(self, path: Path, engine: Engine, lock: FileLock, opening: Opening) -> None:
        self.path = path
        self.opening = opening
        self.reserve = Reserve(path)
        self._engine = engine
        self._writer = GroupCommit(engine, self.reserve)
        self._lock = lock
        self._in_order = True
        self._identity = _identity(path)
        self._writes = 0
        self.writing = asyncio.Event()
        """Set while a write is in progress."""

    @property
    def url(self) -> str:
        """The store's URL, for readers."""
        return sqlite_url(self.path)

    @property
    def epoch(self) -> str:
        """The store's epoch, part of every event's id."""
        return self.opening.epoch

    @property
    def created(self) -> bool:
        """Whether this opening made the file."""
        return self.opening.created

    @property
    def restore(self) -> Restore | None:
        """The latest restore of the store from a backup, if there was one."""
        return self.opening.restore

    def is_in_place(self) -> bool:
        """Say whether the path still leads to the open file."""
        return _identity(self.path) == self._identity

    @property
    def failing(self) -> WriteFault | None:
        """The cause of the latest failed write, until a write succeeds."""
        return self._writer.failing

    async def write(self, work: Callable[[Connection], T]) -> T:
        """Run ``work`` in one transaction; it is committed when this returns, and undone when this raises.

        Works that wait at the same time share a commit, so that ``work`` may run again after a failed one.
        """
        self._writes += 1
        self.writing.set()
        try:
            return await self._writer.write(work, PATIENCE_SECONDS)
        finally:
            self._writes -= 1
            if not self._writes:
                self.writing.clear()

    async def release_pages(self) -> int:
        """Give a batch of free pages back to the disk; return their number, 0 at the end."""
        return await self.write(lambda connection: free_pages.release_pages(file_of(connection)))

    def make_shrinkable(self) -> bool:
        """Rewrite a store of an older version so that its file can shrink; return whether that was needed.

        Only before the first write of this process.

        Raises:
            StoreUnusable: there is not enough space.
        """
        try:
            with closing(self._engine.raw_connection()) as connection:
                file: sqlite3.Connection = connection.driver_connection  # type: ignore[assignment]  # it is SQLite's
                return free_pages.make_shrinkable(file)
        except sqlite3.Error as error:
            raise StoreUnusable(f"cannot rewrite {self.path}: {error}; it needs twice its size on the disk") from error

    def check(self) -> None:
        """Read all of the file, beside its writer.

        Raises:
            StoreDamaged: it is broken.
            StoreUnusable: it cannot be read.
        """
        check_pages(self.path)

    @contextmanager
    def used(self) -> Iterator[None]:
        """Let the next opening read all of the file if this use of it fails: damage may be the cause."""
        try:
            yield
        except Exception:
            self._in_order = False
            raise

    def last_call(self, seconds: float) -> None:
        """Limit all waits for another process to so many seconds from now: the program is about to end."""
        self._writer.last_call(seconds)

    def close(self) -> None:
        """Finish the writes that wait, fold the write-ahead log into the file and release the lock."""
        self._writer.close()
        # The note goes first: closing removes the log, and a crash after that must not look like a lost log.
        self._lock.note({EPOCH_NOTED: self.epoch})
        self._engine.dispose()
        give_to_owner(self.path)
        # Last: nobody else may open the file while its log is being folded.
        self._lock.release(in_order=self._in_order)


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def open_database(path: Path, *, purpose: str, now: datetime) -> Database:
    """Open the store at ``path`` for writing; make it when there is none.

    Raises:
        StoreInUse: another process holds it.
        StoreTooNew: a later version of the watcher made it.
        StoreDamaged: it is damaged, and no automatic backup can replace it.
        StoreUnusable: it is not a store, or the folder cannot be written.
        BackupError: its schema is older, and the backup before the migration cannot be made.
    """
    check_library()
    _make_folder(path)
    lock = FileLock(path)
    lock.acquire(purpose, now)
    try:
        return _open_locked(path, lock, now, may_postpone=purpose == DAEMON)
    except BaseException:
        # Damage may be the cause: the next opening reads all of the file.
        lock.release(in_order=False)
        raise


def restore_database(path: Path, backup: Path | None, *, now: datetime) -> Database:
    """Replace the store by a backup and open it; ``None`` stands for the newest sound automatic backup.

    Raises:
        StoreInUse: another process holds the store.
        BackupError: there is no such backup, or it is not sound.
        StoreTooNew: a later version of the watcher made the backup.
    """
    check_library()
    _make_folder(path)
    lock = FileLock(path)
    lock.acquire("restore", now)
    try:
        made_at, chosen = _chosen_backup(path, backup)
        check_known(read_revision(chosen))
        aside = replace_store(path, chosen, now)
        recovery = Recovery(
            reason="asked-for",
            problem="a restore was asked for",
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


def _open_locked(path: Path, lock: FileLock, now: datetime, *, may_postpone: bool) -> Database:
    try:
        found = _examined(path, lock, now, may_postpone=may_postpone)
    except BaseException:
        lock.release(opened=False)
        raise
    return _opened(path, lock, found, now)


def _examined(path: Path, lock: FileLock, now: datetime, *, may_postpone: bool) -> Found:
    """Check the store before the writing connection: its mode alone changes a file, its end folds a log into it."""
    try:
        check_plain(path)
    except NotPlainFileError as error:
        raise _not_plain(path, error) from error
    found = find(path, lock.left_behind, now, may_postpone=may_postpone)
    if found.condition is not Condition.NEW:
        check_known(read_revision(path))
    return found


def _opened(path: Path, lock: FileLock, found: Found, now: datetime) -> Database:
    _make_private(path)
    engine = writer_engine(path)
    try:
        opening = prepare(path, engine, found, now)
    except SQLAlchemyError as error:
        _close_unused(engine, lock, found.condition)
        raise StoreUnusable(f"cannot use {path}: {error}") from error
    except BaseException:
        _close_unused(engine, lock, found.condition)
        raise
    _shorten_waits(engine)
    lock.note({EPOCH_NOTED: opening.epoch, LOG_NOTED: True})
    give_to_owner(path)
    return Database(path, engine, lock, opening)


def _close_unused(engine: Engine, lock: FileLock, condition: Condition) -> None:
    # The note goes first, as in ``close``: this folds the log of a process that died, and its absence is no loss.
    if condition is not Condition.LOG_MISSING:
        lock.note({key: fact for key, fact in lock.left_behind.items() if key == EPOCH_NOTED})
    engine.dispose()


def _make_private(path: Path) -> None:
    """Make a new file readable for this user alone; SQLite gives its side files the same rights."""
    if path.exists():
        return
    try:
        os.close(open_private(path))
        give_to_owner(path)
    except NotPlainFileError as error:
        raise _not_plain(path, error) from error
    except OSError:
        # Opening the file reports any fault of the folder.
        return


def _not_plain(path: Path, error: NotPlainFileError) -> StoreUnusable:
    return StoreUnusable(f"cannot open {path}: {error.strerror}; name the file itself in [state] url")


def _shorten_waits(engine: Engine) -> None:
    """Shorten the wait of each try, so that a write in the queue does not wait as long as all before it together."""
    with closing(engine.raw_connection()) as connection:
        connection.cursor().execute(f"PRAGMA busy_timeout = {TRY_MILLISECONDS}")


def _make_folder(path: Path) -> None:
    try:
        make_folder(path.parent)
    except OSError as error:
        raise StoreUnusable(f"cannot make the folder {path.parent}: {error.strerror}; set [state] url") from error
