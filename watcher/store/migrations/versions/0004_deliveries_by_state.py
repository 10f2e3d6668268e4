"""An index that finds open deliveries without reading the delivered ones."""

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Replace the partial index: SQLite used it only for a condition in the same words."""
    op.drop_index("ix_delivery_due", "delivery")
    op.create_index("ix_delivery_state", "delivery", ["state", "receiver", "next_at"])
