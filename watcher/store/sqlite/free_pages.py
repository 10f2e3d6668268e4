"""Free pages of the store's file: given back to the disk in small steps, so that the file shrinks after pruning.

SQLite keeps the pages of deleted rows for later rows. With ``auto_vacuum = INCREMENTAL``, which is set before the first
table is made, it moves the last pages of the file into free ones and cuts the end off.
Source: https://www.sqlite.org/pragma.html#pragma_auto_vacuum
"""

from __future__ import annotations

import sqlite3
from typing import Final

INCREMENTAL: Final = "PRAGMA auto_vacuum=INCREMENTAL"
STEP_PAGES: Final = 256
"""The most pages of one transaction: 1 MB, so that no other write waits long."""
SPARE_PAGES: Final = 256
"""Pages that stay free for the next rows; otherwise the file would shrink and grow again every hour."""
NONE: Final = 0


def release_pages(connection: sqlite3.Connection) -> int:
    """Give at most ``STEP_PAGES`` free pages back to the disk; return their number, 0 at the end.

    A store of an older version keeps its free pages, see ``make_shrinkable``.
    """
    free = _number(connection, "freelist_count")
    if _number(connection, "auto_vacuum") == NONE:
        return 0
    # Each call frees one page: Python's module ends a PRAGMA without columns after its first step.
    for _ in range(min(free - SPARE_PAGES, STEP_PAGES)):
        connection.execute("PRAGMA incremental_vacuum(1)")
    return free - _number(connection, "freelist_count")


def make_shrinkable(connection: sqlite3.Connection) -> bool:
    """Rewrite a store of an older version so that it can shrink; return whether that was needed.

    It locks the store for as long as a copy takes, and needs twice its size on the disk.
    """
    if _number(connection, "auto_vacuum") != NONE:
        return False
    connection.execute(INCREMENTAL)
    connection.execute("VACUUM")
    return True


def _number(connection: sqlite3.Connection, name: str) -> int:
    return int(connection.execute(f"PRAGMA {name}").fetchone()[0])
