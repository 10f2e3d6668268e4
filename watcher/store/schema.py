"""The tables, in SQL that SQLite and PostgreSQL both understand.

Times are RFC 3339 text in UTC with microseconds, so that they sort as they stand. ``position`` columns give the
order of recording. The migrations make these tables; a test shows that both agree.
"""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    text,
)

metadata = MetaData()

meta = Table(
    "meta",
    metadata,
    Column("key", Text, primary_key=True),
    Column("value", Text, nullable=False),
)
"""Facts about the store itself: its epoch, when it was made."""

training = Table(
    "training",
    metadata,
    Column("subject", Text, primary_key=True),
    Column("account", Text, nullable=False),
    Column("service", Text, nullable=False),
    Column("status", Text),
    Column("seen_after", Text, nullable=False),
    Column("changed_after", Text),
    Column("changed_before", Text),
    Column("first_seen_at", Text, nullable=False),
    Column("pending", Text),
    Column("absent", Integer, nullable=False, server_default="0"),
    Column("gone", Boolean, nullable=False, server_default=text("0")),
    Column("seq", Integer, nullable=False),
    Column("announced_statuses", Text, nullable=False),
    Column("record", Text, nullable=False),
    Column("revision", Integer, nullable=False),
)
"""One row a training: the snapshot."""

poll = Table(
    "poll",
    metadata,
    Column("key", Text, primary_key=True),
    Column("good_asked_at", Text),
    Column("good_answered_at", Text),
    Column("digest", LargeBinary),
    Column("failures", Integer, nullable=False, server_default="0"),
    Column("failed_since", Text),
    Column("cause", Text),
    Column("detail", Text),
)
"""One row a recurring question to AiTEMS: when it was last answered, or why it is not."""

incident = Table(
    "incident",
    metadata,
    Column("subject", Text, primary_key=True),
    Column("seq", Integer, nullable=False),
    Column("body", Text),
)
"""What cannot be seen: one row a subject (account, service, training); ``body`` is the open incident, if any."""

deviation = Table(
    "deviation",
    metadata,
    Column("description", Text, primary_key=True),
    Column("poll", Text, nullable=False),
    Column("seen_at", Text, nullable=False),
    Column("sample", Text, nullable=False),
)
"""Where AiTEMS differs from its documents; one row a difference, with a sample that holds no value."""

event = Table(
    "event",
    metadata,
    Column("position", Integer, primary_key=True, autoincrement=True),
    Column("id", Text, nullable=False, unique=True),
    Column("subject", Text, nullable=False),
    Column("seq", Integer, nullable=False),
    Column("kind", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("group_key", Text),
    Column("recorded_at", Text, nullable=False),
    Column("routed_at", Text),
    Column("route", Text),
    UniqueConstraint("subject", "seq", name="uq_event_subject_seq"),
)
"""Every change; a row without ``routed_at`` is the outbox."""

Index("ix_event_subject_recorded", event.c.subject, event.c.recorded_at)
Index("ix_event_group", event.c.group_key, sqlite_where=text("group_key IS NOT NULL"))
Index("ix_event_unrouted", event.c.position, sqlite_where=text("routed_at IS NULL"))

delivery = Table(
    "delivery",
    metadata,
    Column("position", Integer, primary_key=True, autoincrement=True),
    Column("id", Text, nullable=False, unique=True),
    Column("receiver", Text, nullable=False),
    Column("group_key", Text),
    Column("sealed", Boolean, nullable=False),
    Column("urgent", Boolean, nullable=False),
    Column("body", LargeBinary),
    Column("state", Text, nullable=False),
    Column("reason", Text, nullable=False, server_default=""),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("degrade", Integer, nullable=False, server_default="0"),
    Column("may_be_repeat", Boolean, nullable=False, server_default=text("0")),
    Column("created_at", Text, nullable=False),
    Column("next_at", Text),
    Column("token", Text),
    Column("lease_until", Text),
    Column("attempted_at", Text),
    Column("settled_at", Text),
    Column("answer", Text),
    Column("receipt", Text),
    Column("mention", Text),
    Column("lookups", Integer, nullable=False, server_default="0"),
)
"""One message to one receiver; a group is sealed just before its first attempt, everything else at once."""

# Not a partial one: SQLite takes that only for a question in the index's own words, and ours have parameters.
Index("ix_delivery_state", delivery.c.state, delivery.c.receiver, delivery.c.next_at)
Index("ix_delivery_group", delivery.c.receiver, delivery.c.group_key, sqlite_where=text("NOT sealed"))

line = Table(
    "line",
    metadata,
    Column("receiver", Text, primary_key=True),
    Column("subject", Text, primary_key=True),
    Column("position", Integer, primary_key=True),
)
"""The open deliveries of each (receiver, subject), in order: only the first may be sent."""

Index("ix_line_position", line.c.position)

ledger = Table(
    "ledger",
    metadata,
    Column("event_id", Text, primary_key=True),
    Column("receiver", Text, primary_key=True),
    Column("delivery_id", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("receiver_seq", Integer, nullable=False),
    Column("ending", Text),
    Column("ended_at", Text),
    UniqueConstraint("receiver", "subject", "receiver_seq", name="uq_ledger_receiver_seq"),
)
"""Exactly one entry per event and receiver that its route names, with how it ended."""

Index("ix_ledger_delivery", ledger.c.delivery_id)

counter = Table(
    "counter",
    metadata,
    Column("receiver", Text, primary_key=True),
    Column("subject", Text, primary_key=True),
    Column("last_seq", Integer, nullable=False),
)
"""The latest ``receiver_seq`` of a receiver and subject; it outlives the pruned ledger."""

silence = Table(
    "silence",
    metadata,
    Column("id", Text, primary_key=True),
    Column("match", Text, nullable=False),
    Column("starts_at", Text, nullable=False),
    Column("ends_at", Text, nullable=False),
    Column("author", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("ended_at", Text),
    Column("ended_by", Text),
)
"""One row a silence, also when it is over: a silenced delivery's reason is its id."""

receiver = Table(
    "receiver",
    metadata,
    Column("name", Text, primary_key=True),
    Column("seq", Integer, nullable=False),
    Column("failing_since", Text),
    Column("reason", Text),
    Column("answer", Text),
)
"""One row a receiver that something was told about: ``failing_since`` is set while it refuses for good."""
