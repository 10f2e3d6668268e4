"""Inserts that meet an existing row, in SQL that SQLite and PostgreSQL both have.

SQLAlchemy's construct for PostgreSQL compiles for SQLite, too; the one for SQLite compiles for SQLite alone.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Column, Table
from sqlalchemy.dialects.postgresql import Insert, insert


def insert_or_update(table: Table, *key: Column[Any]) -> Insert:
    """Return an insert that overwrites every other column of the row with the same key."""
    row = insert(table)
    names = {column.name for column in key}
    others = {column.name: row.excluded[column.name] for column in table.c if column.name not in names}
    return row.on_conflict_do_update(index_elements=list(key), set_=others)


def insert_or_ignore(table: Table) -> Insert:
    """Return an insert that does nothing where the row exists; ``rowcount`` is 0 then."""
    return insert(table).on_conflict_do_nothing()
