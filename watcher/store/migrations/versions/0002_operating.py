"""Mentions, lookups, and receivers that fail permanently."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the columns and the table."""
    op.add_column("delivery", sa.Column("mention", sa.Text))
    op.add_column("delivery", sa.Column("lookups", sa.Integer, nullable=False, server_default="0"))
    op.create_table(
        "receiver",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("seq", sa.Integer, nullable=False),
        sa.Column("broken_since", sa.Text),
        sa.Column("reason", sa.Text),
        sa.Column("answer", sa.Text),
    )
