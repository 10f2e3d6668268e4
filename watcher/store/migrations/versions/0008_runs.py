"""The start of a training's run, for the duration that messages show."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Add the column; the start of a run that is in progress now stays unknown."""
    op.add_column("training", sa.Column("run", sa.Text))
