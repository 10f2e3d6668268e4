"""Indexes and a mark for questions about what waits, so that each reads its answer alone."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"

OPEN = sa.column("next_at").is_not(None)
FAILED = sa.and_(sa.column("reason", sa.Text) != "", OPEN)
UNENDED = sa.column("ending").is_(None)


def upgrade() -> None:
    """Add the column; every open entry is looked at once for the fallback of its receiver."""
    op.add_column("ledger", sa.Column("fallback_done", sa.Text))
    _index("ix_ledger_open", "ledger", ["receiver", "fallback_done"], UNENDED)
    _index("ix_delivery_allowed", "delivery", ["receiver", "allowed_at"], OPEN)
    _index("ix_delivery_failed", "delivery", ["receiver", "urgent", "created_at"], FAILED)


def _index(name: str, table: str, columns: list[str], where: sa.ColumnElement[bool]) -> None:
    op.create_index(name, table, columns, sqlite_where=where, postgresql_where=where)
