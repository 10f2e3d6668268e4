"""Whether a file is a store, whole, and the one that it was; looked at before anything is written to it.

Garbage and flipped bits show in SQLite's own check. A write-ahead log that is missing, or is another store's, does
not: SQLite would go on with an older state, or mix the two. The note that a holder leaves in the lock, and the
header's two bytes for the kind of journal, show those.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Final
from urllib.parse import quote

from watcher.store.errors import StoreDamaged, StoreUnusable

BUSY_TIMEOUT_SECONDS: Final = 30
SIDE_FILES: Final = ("-wal", "-shm", "-journal")
MAGIC: Final = b"SQLite format 3\x00"
READ_VERSION_AT: Final = 19
WITHOUT_LOG: Final = 1
"""The header's read version of a file that keeps no write-ahead log, as every backup is."""
BACKUP_MARK: Final = "backup_made_at"
"""The row of ``meta`` that tells a backup from a store."""
LOG_NOTED: Final = "log"
EPOCH_NOTED: Final = "epoch"
"""Keys of the lock's note."""

_DAMAGE_CODES: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})


class Condition(StrEnum):
    """What a file that may be opened is."""

    NEW = "new"
    SOUND = "sound"
    BACKUP = "backup"
    """A backup that was put in the store's place."""
    LOG_MISSING = "log-missing"
    """An older state of itself: the write-ahead log of a process that died is gone."""


def examine(path: Path, left_behind: Mapping[str, object], *, had_backups: bool) -> Condition:
    """Say what the file is.

    Args:
        path: the store's file.
        left_behind: the note of a process that died with the store open.
        had_backups: whether automatic backups show that there was a store.

    Raises:
        StoreDamaged: it is broken, or a store that was there is not.
        StoreUnusable: it is another program's, or cannot be read.
    """
    if not path.exists() or path.stat().st_size == 0:
        return _without_content(path, had_backups=had_backups)
    # Before the file is read: reading makes a log where there is none.
    log_is_missing = bool(left_behind.get(LOG_NOTED)) and not side_file(path, "-wal").exists()
    facts = read_facts(path)
    if facts is None:
        # A process that died while it made the store leaves a file without tables.
        return _without_content(path, had_backups=had_backups)
    if BACKUP_MARK in facts:
        return Condition.BACKUP
    noted = left_behind.get(EPOCH_NOTED)
    if noted is not None and noted != facts.get("epoch"):
        raise StoreUnusable(
            f"{path} is not the store that was open last, or its {path.name}-wal is another's; put the right file in "
            f"its place, run `aitems-watcher restore`, or remove {path.name}.lock to go on with this one"
        )
    return Condition.LOG_MISSING if log_is_missing else Condition.SOUND


def _without_content(path: Path, *, had_backups: bool) -> Condition:
    log = side_file(path, "-wal")
    if log.exists() and log.stat().st_size and not path.exists():
        raise damaged(path, f"it is gone, and {log.name} is still there")
    if had_backups:
        raise damaged(path, "it is empty" if path.exists() else "it is gone")
    return Condition.NEW


def read_facts(path: Path) -> dict[str, str] | None:
    """Read the whole file once and return the rows of ``meta``; ``None`` when it has no tables at all.

    Raises:
        StoreDamaged: it is broken or no database.
        StoreUnusable: it is another program's, or cannot be read.
    """
    with path.open("rb") as file:
        if file.read(len(MAGIC)) != MAGIC:
            raise damaged(path, "file is not a database")
    with _reading(path) as connection:
        verdict = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        if verdict != "ok":
            raise damaged(path, verdict)
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if not tables:
            return None
        if not {"alembic_version", "meta"} <= tables:
            raise StoreUnusable(f"{path} is a database of another program; name another file in [state] url")
        return dict(connection.execute("SELECT key, value FROM meta").fetchall())


@contextmanager
def _reading(path: Path) -> Iterator[sqlite3.Connection]:
    # Read only: closing a writing connection would fold a log into the file before it is known to be the file's own.
    # What a rollback journal holds can be taken back by a writing one alone.
    mode = "rw" if side_file(path, "-journal").exists() else "ro"
    try:
        with closing(sqlite3.connect(f"file:{quote(str(path))}?mode={mode}", uri=True)) as connection:
            connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_SECONDS * 1000}")
            yield connection
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF
        if code in _DAMAGE_CODES:
            raise damaged(path, str(error)) from error
        raise StoreUnusable(f"cannot read {path}: {error}") from error


def damaged(path: Path, problem: str) -> StoreDamaged:
    """Return the error that says so, and what to do."""
    return StoreDamaged(
        f"{path} is damaged or not a store ({' '.join(problem.split())}); put a backup in its place with "
        "`aitems-watcher restore`, or move it away to start anew"
    )


def side_file(path: Path, suffix: str) -> Path:
    """Return one of the files that SQLite keeps beside a database."""
    return path.with_name(path.name + suffix)


def has_foreign_log(path: Path) -> bool:
    """Say whether a log lies beside a file that keeps none: a backup was put in place and the old log left there.

    SQLite would read that log all the same and mix the two.
    """
    log = side_file(path, "-wal")
    if not path.exists() or not log.exists() or not log.stat().st_size:
        return False
    with path.open("rb") as file:
        header = file.read(READ_VERSION_AT + 1)
    return header.startswith(MAGIC) and header[READ_VERSION_AT:] == bytes([WITHOUT_LOG])
