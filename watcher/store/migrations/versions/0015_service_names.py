"""The names of services, as the lists of services have them."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    """Add the column; the next list of services has the names."""
    op.add_column("poll", sa.Column("name", sa.Text))
