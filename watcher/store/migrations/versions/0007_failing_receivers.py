"""Receivers that fail without refusing, and the time from which a delivery expires."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Add the columns; a receiver that was failing before had refused permanently."""
    op.add_column("delivery", sa.Column("allowed_at", sa.Text, nullable=False, server_default=""))
    op.add_column("delivery", sa.Column("fallback_for", sa.Text))
    op.add_column("receiver", sa.Column("troubled_since", sa.Text))
    op.add_column("receiver", sa.Column("parked", sa.Boolean, nullable=False, server_default=sa.false()))
    delivery = sa.table("delivery", sa.column("created_at"), sa.column("allowed_at"))
    receiver = sa.table("receiver", sa.column("failing_since"), sa.column("parked", sa.Boolean))
    op.execute(sa.update(delivery).values(allowed_at=delivery.c.created_at))
    op.execute(sa.update(receiver).where(receiver.c.failing_since.is_not(None)).values(parked=sa.true()))
