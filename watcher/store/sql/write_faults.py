"""Classify failed writes that are no fault of the program: a full disk, a broken disk, a lock, a lost connection.

SQLite reports a result code (https://www.sqlite.org/rescode.html), PostgreSQL a SQLSTATE
(https://www.postgresql.org/docs/current/errcodes-appendix.html).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from sqlalchemy.exc import DBAPIError


class WriteFault(StrEnum):
    """The cause as log, message and ``status`` name it."""

    FULL = "disk-full"
    IO = "io-error"
    LOCKED = "locked"
    """Another transaction is in the way; the same write may succeed at once."""
    AWAY = "database-away"
    """The connection to the database is gone, or the server is shutting down."""
    REMOVED = "store-removed"
    """The file is no longer where it was opened; writes still reach it, and are lost with this process."""


SHORT_FAULTS: Final = (WriteFault.LOCKED, WriteFault.AWAY)
"""They hit each transaction alike, and end without a repair."""

_SQLITE: Final[Mapping[int, WriteFault]] = MappingProxyType(
    {
        sqlite3.SQLITE_FULL: WriteFault.FULL,
        sqlite3.SQLITE_IOERR: WriteFault.IO,
        sqlite3.SQLITE_CANTOPEN: WriteFault.IO,
        sqlite3.SQLITE_READONLY: WriteFault.IO,
        sqlite3.SQLITE_BUSY: WriteFault.LOCKED,
        sqlite3.SQLITE_LOCKED: WriteFault.LOCKED,
    }
)

_SQLSTATES: Final[Mapping[str, WriteFault]] = MappingProxyType(
    {
        "53100": WriteFault.FULL,
        "58030": WriteFault.IO,
        "25006": WriteFault.IO,
        "40001": WriteFault.LOCKED,
        "40P01": WriteFault.LOCKED,
        "55P03": WriteFault.LOCKED,
        "08": WriteFault.AWAY,
        "57P0": WriteFault.AWAY,
    }
)
"""SQLSTATEs, or their beginning: 53100 disk_full, 58030 io_error, 25006 read_only_sql_transaction,
40001 serialization_failure, 40P01 deadlock_detected, 55P03 lock_not_available, 08 connection exceptions,
57P0 shutdowns."""


def fault_of(error: DBAPIError) -> WriteFault | None:
    """Return the cause that keeps the store from being written; ``None`` for a fault of the program."""
    if (sqlstate := getattr(error.orig, "sqlstate", None)) is not None:
        return next((fault for beginning, fault in _SQLSTATES.items() if str(sqlstate).startswith(beginning)), None)
    # The lowest byte is SQLite's primary code; the rest says more about it.
    return _SQLITE.get(getattr(error.orig, "sqlite_errorcode", 0) & 0xFF)
