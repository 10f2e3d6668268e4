"""The first delivery of each line, so that a lease seeks it instead of searching for it."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"

COLUMNS = ("state", "receiver", "first_in_line")


def upgrade() -> None:
    """Add the column, find the first deliveries once, and index them by their turn and by their time."""
    op.add_column("delivery", sa.Column("first_in_line", sa.Boolean, nullable=False, server_default=sa.true()))
    _find_first()
    op.drop_index("ix_delivery_state", "delivery")
    op.create_index("ix_delivery_state", "delivery", [*COLUMNS, "next_at", "urgent"])
    op.create_index("ix_delivery_turn", "delivery", [*COLUMNS, sa.column("urgent").desc(), "position", "next_at"])


def _find_first() -> None:
    delivery = sa.table("delivery", sa.column("position"), sa.column("first_in_line", sa.Boolean))
    line = sa.table("line", sa.column("receiver"), sa.column("subject"), sa.column("position"))
    own, earlier = line.alias("own_line"), line.alias("earlier_line")
    same = sa.and_(earlier.c.receiver == own.c.receiver, earlier.c.subject == own.c.subject)
    later = sa.select(own.c.position).join(earlier, sa.and_(same, earlier.c.position < own.c.position))
    op.execute(sa.update(delivery).where(delivery.c.position.in_(later)).values(first_in_line=sa.false()))
