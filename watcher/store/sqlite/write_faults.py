"""Why a write fails that is no fault of ours: the disk is full, it is broken, or somebody holds the file."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from sqlalchemy.exc import DBAPIError


class WriteFault(StrEnum):
    """The word in log, message and ``status``."""

    FULL = "disk-full"
    IO = "io-error"
    LOCKED = "locked"


_FAULTS: Final[Mapping[int, WriteFault]] = MappingProxyType(
    {
        sqlite3.SQLITE_FULL: WriteFault.FULL,
        sqlite3.SQLITE_IOERR: WriteFault.IO,
        sqlite3.SQLITE_CANTOPEN: WriteFault.IO,
        sqlite3.SQLITE_READONLY: WriteFault.IO,
        sqlite3.SQLITE_BUSY: WriteFault.LOCKED,
        sqlite3.SQLITE_LOCKED: WriteFault.LOCKED,
    }
)


def fault_of(error: DBAPIError) -> WriteFault | None:
    """Return what keeps the store from being written; ``None`` for a fault of ours."""
    # The lowest byte is the primary code, see https://www.sqlite.org/rescode.html.
    return _FAULTS.get(getattr(error.orig, "sqlite_errorcode", 0) & 0xFF)
