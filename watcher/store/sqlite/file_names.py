"""The names of a store's files: those beside the database, and the folder of its automatic backups."""

from __future__ import annotations

from pathlib import Path
from typing import Final

LOG: Final = "-wal"
INDEX: Final = "-shm"
JOURNAL: Final = "-journal"
SIDE_FILES: Final = (LOG, INDEX, JOURNAL)
"""The files that SQLite keeps beside a database, by the end of their names."""
LOCK: Final = ".lock"
RESERVE: Final = ".reserve"
BACKUPS: Final = "backups"
ASIDE: Final = "set-aside"


def side_file(path: Path, suffix: str) -> Path:
    """Return the path of a file that belongs to a database and lies beside it."""
    return path.with_name(path.name + suffix)


def backups_of(path: Path) -> Path:
    """Return the folder of the automatic backups of a store."""
    return path.parent / BACKUPS


def set_aside_files(path: Path) -> list[Path]:
    """Return the files that were set aside and wait for an operator."""
    return sorted(path.parent.glob(f"{path.name}.{ASIDE}-*Z"))
