"""Inserts that meet an existing row, in SQL that SQLite and PostgreSQL both have.

SQLAlchemy's constructs for PostgreSQL compile for both, but they load its dialect: 2 MB and a tenth of a command's
start. Those for SQLite lack a single attribute that the compiler for PostgreSQL reads.
"""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import Column, Table
from sqlalchemy.dialects.sqlite import Insert, insert
from sqlalchemy.dialects.sqlite.dml import OnConflictDoNothing, OnConflictDoUpdate

BY_COLUMNS: Final = None
"""PostgreSQL may name a constraint in place of the columns; SQLite has no such form."""


class _DoNothing(OnConflictDoNothing):
    inherit_cache = True
    constraint_target = BY_COLUMNS


class _DoUpdate(OnConflictDoUpdate):
    inherit_cache = True
    constraint_target = BY_COLUMNS


def insert_or_update(table: Table, *key: Column[Any]) -> Insert:
    """Return an insert that overwrites every other column of the row with the same key."""
    row = insert(table)
    names = {column.name for column in key}
    others = {column.name: row.excluded[column.name] for column in table.c if column.name not in names}
    return row.ext(_DoUpdate(index_elements=list(key), set_=others))


def insert_or_ignore(table: Table) -> Insert:
    """Return an insert that does nothing where the row exists; ``rowcount`` is 0 then."""
    return insert(table).ext(_DoNothing())
