"""Indexes for reports: trainings by status, and events by time."""

from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Add the indexes; without them ``status`` and ``history --since`` read every row."""
    op.create_index("ix_training_status", "training", ["status", "gone", "account", "service"])
    op.create_index("ix_event_recorded", "event", ["recorded_at"])
