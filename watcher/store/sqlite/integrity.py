"""Check a store's file before anything is written to it: its format, its pages, and its write-ahead log.

SQLite's own check finds garbage and flipped bits. It does not notice a missing log, or the log of another store:
SQLite would continue with an older state, or mix the two. The note in the lock file and the journal bytes of the
header reveal both.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Final
from urllib.parse import quote

from watcher.store import meta_keys
from watcher.store.errors import StoreDamaged, StoreUnusable
from watcher.store.sqlite.file_names import JOURNAL, LOG, side_file

BUSY_TIMEOUT_SECONDS: Final = 30
MAGIC: Final = b"SQLite format 3\x00"
READ_VERSION_AT: Final = 19
WITHOUT_LOG: Final = 1
"""The header's read version of a file that keeps no write-ahead log, as every backup is."""
LARGE_BYTES: Final = 64 * 1024 * 1024
"""A larger file is checked while the daemon runs; it took 0.3 s to read this much, and 6 s for 450 MB."""
LOG_NOTED: Final = "log"
EPOCH_NOTED: Final = "epoch"
"""Keys of the lock's note."""

_DAMAGE_CODES: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})


class Condition(StrEnum):
    """The condition of a file that may be opened."""

    NEW = "new"
    SOUND = "sound"
    BACKUP = "backup"
    """A backup that was copied over the store."""
    LOG_MISSING = "log-missing"
    """An older state: the write-ahead log of a process that died is missing."""


def is_large(path: Path) -> bool:
    """Say whether it takes seconds to read the file."""
    return path.exists() and path.stat().st_size > LARGE_BYTES


def check_pages(path: Path) -> None:
    """Read all of the file, also beside its writer.

    Raises:
        StoreDamaged: it is broken.
        StoreUnusable: it cannot be read.
    """
    with _reading(path) as connection:
        _check_pages(path, connection)


def _check_pages(path: Path, connection: sqlite3.Connection) -> None:
    verdict = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if verdict != "ok":
        raise damaged(path, verdict)


def examine(path: Path, left_behind: Mapping[str, object], *, had_backups: bool, all_pages: bool = True) -> Condition:
    """Return the condition of the file.

    Args:
        path: the store's file.
        all_pages: whether all of the file is read.
        left_behind: the note of a process that died with the store open.
        had_backups: whether automatic backups prove that there was a store.

    Raises:
        StoreDamaged: it is broken, or the store is missing.
        StoreUnusable: it is another program's, or cannot be read.
    """
    if not path.exists() or path.stat().st_size == 0:
        return _without_content(path, had_backups=had_backups)
    # Before the file is read, since reading creates a log.
    log_is_missing = bool(left_behind.get(LOG_NOTED)) and not side_file(path, LOG).exists()
    facts = read_facts(path, all_pages=all_pages)
    if facts is None:
        # A process that died while it made the store left a file without tables.
        return _without_content(path, had_backups=had_backups)
    if meta_keys.BACKUP_MADE_AT in facts:
        return Condition.BACKUP
    noted = left_behind.get(EPOCH_NOTED)
    if noted is not None and noted != facts.get("epoch"):
        raise StoreUnusable(
            f"{path} is not the store that was open last, or its {path.name}-wal is another's; put the right file in "
            f"its place, run `aitems-watcher restore`, or remove {path.name}.lock to go on with this one"
        )
    return Condition.LOG_MISSING if log_is_missing else Condition.SOUND


def _without_content(path: Path, *, had_backups: bool) -> Condition:
    log = side_file(path, LOG)
    if log.exists() and log.stat().st_size and not path.exists():
        raise damaged(path, f"it is gone, and {log.name} is still there")
    if had_backups:
        raise damaged(path, "it is empty" if path.exists() else "it is gone")
    return Condition.NEW


def read_facts(path: Path, *, all_pages: bool = True) -> dict[str, str] | None:
    """Check the file and return the rows of ``meta``; ``None`` when it has no tables.

    Raises:
        StoreDamaged: it is broken, or no database.
        StoreUnusable: it is another program's, or cannot be read.
    """
    with path.open("rb") as file:
        if file.read(len(MAGIC)) != MAGIC:
            raise damaged(path, "file is not a database")
    with _reading(path) as connection:
        if all_pages:
            _check_pages(path, connection)
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if not tables:
            return None
        if not {"alembic_version", "meta"} <= tables:
            raise StoreUnusable(f"{path} is a database of another program; name another file in [state] url")
        # Each start needs both tables: damage of them is found without reading all of the file.
        connection.execute("SELECT version_num FROM alembic_version").fetchall()
        return dict(connection.execute("SELECT key, value FROM meta").fetchall())


@contextmanager
def _reading(path: Path) -> Iterator[sqlite3.Connection]:
    # Read only: closing a writing connection would fold a log into the file that may be another store's.
    # Only a writing connection can roll back a journal.
    mode = "rw" if side_file(path, JOURNAL).exists() else "ro"
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
    """Return the error about a damaged file, with the remedy."""
    return StoreDamaged(
        f"{path} is damaged or not a store ({' '.join(problem.split())}); put a backup in its place with "
        "`aitems-watcher restore`, or move it away to start anew"
    )


def has_foreign_log(path: Path) -> bool:
    """Say whether a log lies beside a file without one: a backup was copied over the store, the old log stayed.

    SQLite would read that log and mix the two.
    """
    log = side_file(path, LOG)
    if not path.exists() or not log.exists() or not log.stat().st_size:
        return False
    with path.open("rb") as file:
        header = file.read(READ_VERSION_AT + 1)
    return header.startswith(MAGIC) and header[READ_VERSION_AT:] == bytes([WITHOUT_LOG])
