"""The oldest SQLite library that the store can use."""

from __future__ import annotations

import sqlite3
from typing import Final

from watcher.store.errors import StoreUnusable

OLDEST: Final = (3, 34, 0)
"""Debian 11 and RHEL 9 have 3.34.1. ``tests/integration/store/test_oldest_library.py`` holds the statements to it."""


def oldest() -> str:
    """Return the oldest version as text."""
    return ".".join(map(str, OLDEST))


def is_too_old() -> bool:
    """Say whether the library of this process is older than the store needs."""
    return sqlite3.sqlite_version_info < OLDEST


def check_library() -> None:
    """Refuse a library that lacks a feature of the statements, before anything is written.

    Raises:
        StoreUnusable: the library is too old.
    """
    if is_too_old():
        raise StoreUnusable(
            f"the SQLite library of this Python is {sqlite3.sqlite_version}, the store needs {oldest()} or later; "
            "install a newer libsqlite3, or a Python that brings one"
        )
