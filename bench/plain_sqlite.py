"""The yardstick of P5: Python's ``sqlite3`` alone, with the same durability and rows of about the same size."""

from __future__ import annotations

import sqlite3
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import Final

SECONDS: Final = 1.0
BODY: Final = "x" * 600
INSERT: Final = "INSERT INTO row (body) VALUES (?)"


def rows_a_second(batch: int) -> float:
    """Return the rows that are written a second, with one commit for each batch."""
    with tempfile.TemporaryDirectory() as name, closing(_connect(Path(name) / "plain.db")) as connection:
        rows, begun = 0, time.monotonic()
        while (passed := time.monotonic() - begun) < SECONDS:
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany(INSERT, [(BODY,)] * batch)
            connection.execute("COMMIT")
            rows += batch
        return rows / passed


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("CREATE TABLE row (position INTEGER PRIMARY KEY, body TEXT)")
    return connection
