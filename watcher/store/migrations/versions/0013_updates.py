"""Updates of trainings, the cycle of a service, and the waits for results."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    """Add the columns; nothing is known for them before the next polls."""
    op.add_column("training", sa.Column("updates", sa.Text))
    op.add_column("training", sa.Column("result", sa.Text))
    op.add_column("retraining", sa.Column("cycle", sa.Text))
    op.add_column("retraining", sa.Column("result_waits", sa.Text, nullable=False, server_default="[]"))
