"""The first schema: trainings, polls, events, deliveries, the ledger."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

POSITION = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Create the tables."""
    _make_meta()
    _make_training()
    _make_look()
    _make_incident()
    _make_event()
    _make_delivery()
    _make_ledger()


def _make_meta() -> None:
    op.create_table(
        "meta",
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("value", sa.Text, nullable=False),
    )


def _make_training() -> None:
    op.create_table(
        "training",
        sa.Column("subject", sa.Text, primary_key=True),
        sa.Column("account", sa.Text, nullable=False),
        sa.Column("service", sa.Text, nullable=False),
        sa.Column("status", sa.Text),
        sa.Column("seen_after", sa.Text, nullable=False),
        sa.Column("changed_after", sa.Text),
        sa.Column("changed_before", sa.Text),
        sa.Column("first_seen_at", sa.Text, nullable=False),
        sa.Column("pending", sa.Text),
        sa.Column("absent", sa.Integer, nullable=False, server_default="0"),
        sa.Column("gone", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("seq", sa.Integer, nullable=False),
        sa.Column("words_told", sa.Text, nullable=False),
        sa.Column("record", sa.Text, nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
    )


def _make_look() -> None:
    op.create_table(
        "look",
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("good_asked_at", sa.Text),
        sa.Column("good_answered_at", sa.Text),
        sa.Column("digest", sa.LargeBinary),
        sa.Column("failures", sa.Integer, nullable=False, server_default="0"),
        sa.Column("failed_since", sa.Text),
        sa.Column("cause", sa.Text),
        sa.Column("detail", sa.Text),
    )


def _make_incident() -> None:
    op.create_table(
        "incident",
        sa.Column("subject", sa.Text, primary_key=True),
        sa.Column("seq", sa.Integer, nullable=False),
        sa.Column("body", sa.Text),
    )
    op.create_table(
        "drift",
        sa.Column("oddity", sa.Text, primary_key=True),
        sa.Column("look", sa.Text, nullable=False),
        sa.Column("seen_at", sa.Text, nullable=False),
        sa.Column("sample", sa.Text, nullable=False),
    )


def _make_event() -> None:
    op.create_table(
        "event",
        sa.Column("position", POSITION, primary_key=True, autoincrement=True),
        sa.Column("id", sa.Text, nullable=False, unique=True),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("seq", sa.Integer, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("group_key", sa.Text),
        sa.Column("recorded_at", sa.Text, nullable=False),
        sa.Column("routed_at", sa.Text),
        sa.Column("route", sa.Text),
        sa.UniqueConstraint("subject", "seq", name="uq_event_subject_seq"),
    )
    op.create_index("ix_event_subject_recorded", "event", ["subject", "recorded_at"])
    _partial_index("ix_event_group", "event", ["group_key"], sa.column("group_key").is_not(None))
    _partial_index("ix_event_unrouted", "event", ["position"], sa.column("routed_at").is_(None))


def _make_delivery() -> None:
    op.create_table(
        "delivery",
        sa.Column("position", POSITION, primary_key=True, autoincrement=True),
        sa.Column("id", sa.Text, nullable=False, unique=True),
        sa.Column("receiver", sa.Text, nullable=False),
        sa.Column("group_key", sa.Text),
        sa.Column("sealed", sa.Boolean, nullable=False),
        sa.Column("urgent", sa.Boolean, nullable=False),
        sa.Column("body", sa.LargeBinary),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False, server_default=""),
        sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
        sa.Column("degrade", sa.Integer, nullable=False, server_default="0"),
        sa.Column("may_be_repeat", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("created_at", sa.Text, nullable=False),
        sa.Column("next_at", sa.Text),
        sa.Column("token", sa.Text),
        sa.Column("lease_until", sa.Text),
        sa.Column("attempted_at", sa.Text),
        sa.Column("settled_at", sa.Text),
        sa.Column("answer", sa.Text),
        sa.Column("receipt", sa.Text),
    )
    still_open = sa.column("state", sa.Text).in_(["pending", "sending", "uncertain"])
    _partial_index("ix_delivery_due", "delivery", ["receiver", "next_at"], still_open)
    _partial_index("ix_delivery_group", "delivery", ["receiver", "group_key"], ~sa.column("sealed", sa.Boolean))
    op.create_table(
        "line",
        sa.Column("receiver", sa.Text, primary_key=True),
        sa.Column("subject", sa.Text, primary_key=True),
        sa.Column("position", POSITION, primary_key=True, autoincrement=False),
    )
    op.create_index("ix_line_position", "line", ["position"])


def _make_ledger() -> None:
    op.create_table(
        "ledger",
        sa.Column("event_id", sa.Text, primary_key=True),
        sa.Column("receiver", sa.Text, primary_key=True),
        sa.Column("delivery_id", sa.Text, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("receiver_seq", sa.Integer, nullable=False),
        sa.Column("ending", sa.Text),
        sa.Column("ended_at", sa.Text),
        sa.UniqueConstraint("receiver", "subject", "receiver_seq", name="uq_ledger_receiver_seq"),
    )
    op.create_index("ix_ledger_delivery", "ledger", ["delivery_id"])
    op.create_table(
        "counter",
        sa.Column("receiver", sa.Text, primary_key=True),
        sa.Column("subject", sa.Text, primary_key=True),
        sa.Column("last_seq", sa.Integer, nullable=False),
    )


def _partial_index(name: str, table: str, columns: list[str], rows: sa.ColumnElement[bool]) -> None:
    op.create_index(name, table, columns, sqlite_where=rows, postgresql_where=rows)
