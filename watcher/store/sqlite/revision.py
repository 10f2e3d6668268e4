"""Read the schema's revision from a file without SQLAlchemy, which takes long to load."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final

from watcher.store.errors import StoreUnusable
from watcher.store.sqlite.reading import reading_address

READ_TIMEOUT_SECONDS: Final = 5.0


def read_revision(path: Path) -> str:
    """Return the schema's revision, also while a daemon holds the file.

    Raises:
        StoreUnusable: the file cannot be read, or has no schema.
    """
    address = reading_address(path)
    try:
        with closing(sqlite3.connect(address, uri=True, timeout=READ_TIMEOUT_SECONDS)) as connection:
            row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    except sqlite3.Error as error:
        raise StoreUnusable(f"cannot read {path}: {error}; run aitems-watcher doctor") from error
    if row is None:
        raise StoreUnusable(f"{path} has no schema; start the watcher once, or name the right configuration")
    return str(row[0])
