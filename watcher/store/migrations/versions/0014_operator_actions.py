"""The actions of people with their authors, and the sessions of the page that were ended."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    """Make the tables; the author of an earlier retry is not known."""
    op.create_table(
        "operator_action",
        sa.Column("position", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("kind", "target", "author", "at", "outcome", "reason")),
    )
    op.create_index("ix_operator_action_target", "operator_action", ["target"])
    op.create_index("ix_operator_action_at", "operator_action", ["at"])
    op.create_table(
        "ended_session",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("expires_at", sa.Text, nullable=False),
    )
