"""The tables, in SQL that SQLite and PostgreSQL both have.

Times are RFC 3339 text in UTC with microseconds, so that they sort as text. ``position`` columns give the order of
recording. ``account`` columns are empty for subjects outside every account. The migrations make these tables; a test
shows that both agree.
"""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import (
    Boolean,
    Column,
    ColumnElement,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    UniqueConstraint,
    and_,
    false,
    true,
)

from watcher.store.sql.column_types import POSITION, StoredText

CONDITION: Final = "condition"
"""The key of a partial index's condition in its ``info``."""

metadata = MetaData()


def _partial_index(name: str, *columns: Column[Any], where: ColumnElement[bool]) -> None:
    # ``postgresql_where`` would load that dialect in each process, and the migrations make the indexes of both.
    Index(name, *columns, sqlite_where=where, info={CONDITION: where})


meta = Table(
    "meta",
    metadata,
    Column("key", StoredText, primary_key=True),
    Column("value", StoredText, nullable=False),
)
"""Facts about the store itself, such as its epoch; ``meta_keys`` names them."""

training = Table(
    "training",
    metadata,
    Column("subject", StoredText, primary_key=True),
    Column("account", StoredText, nullable=False),
    Column("service", StoredText, nullable=False),
    Column("status", StoredText),
    Column("seen_after", StoredText, nullable=False),
    Column("changed_after", StoredText),
    Column("changed_before", StoredText),
    Column("first_seen_at", StoredText, nullable=False),
    Column("pending", StoredText),
    Column("absent", Integer, nullable=False, server_default="0"),
    Column("gone", Boolean, nullable=False, server_default=false()),
    Column("seq", Integer, nullable=False),
    Column("announced_statuses", StoredText, nullable=False),
    Column("record", StoredText, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("run", StoredText),
    Column("updates", StoredText),
    Column("result", StoredText),
)
"""One row a training: its snapshot."""

Index("ix_training_status", training.c.status, training.c.gone, training.c.account, training.c.service)

run = Table(
    "run",
    metadata,
    Column("subject", StoredText, primary_key=True),
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("account", StoredText, nullable=False),
    Column("service", StoredText, nullable=False),
    Column("type", StoredText, nullable=False),
    Column("version", StoredText, nullable=False),
    Column("hpo", Boolean),
    Column("outcome", StoredText, nullable=False),
    Column("status", StoredText, nullable=False),
    Column("started_after", StoredText),
    Column("started_before", StoredText),
    Column("ended_after", StoredText, nullable=False),
    Column("ended_before", StoredText, nullable=False),
    Column("seconds", Float),
    Column("uncertain_seconds", Float),
    Column("restored", Boolean, nullable=False, server_default=false()),
)
"""One row a run that has ended; ``seq`` is the number of its end among the events of the training.

A run in progress is in the column ``run`` of its training.
"""

Index("ix_run_service", run.c.account, run.c.service, run.c.type, run.c.outcome, run.c.ended_before)
Index("ix_run_type", run.c.account, run.c.type, run.c.outcome, run.c.ended_before)
Index("ix_run_ended", run.c.ended_before)

stage = Table(
    "stage",
    metadata,
    Column("subject", StoredText, primary_key=True),
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("status", StoredText, nullable=False),
    Column("entered_after", StoredText),
    Column("entered_before", StoredText),
    Column("left_after", StoredText, nullable=False),
    Column("left_before", StoredText, nullable=False),
    Column("seconds", Float),
    Column("uncertain_seconds", Float),
)
"""One row a stage of a run that has ended, in the order of ``number``."""

retraining = Table(
    "retraining",
    metadata,
    Column("subject", StoredText, primary_key=True),
    Column("account", StoredText, nullable=False, server_default=""),
    Column("since", StoredText, nullable=False),
    Column("starts", StoredText, nullable=False),
    Column("last_good", StoredText),
    Column("reported", StoredText, nullable=False),
    Column("seq", Integer, nullable=False),
    Column("cycle", StoredText),
    Column("result_waits", StoredText, nullable=False, server_default="[]"),
)
"""One row a service and type: its latest starts and completion, and the absences that were reported."""

poll = Table(
    "poll",
    metadata,
    Column("key", StoredText, primary_key=True),
    Column("account", StoredText, nullable=False, server_default=""),
    Column("good_asked_at", StoredText),
    Column("good_answered_at", StoredText),
    Column("digest", LargeBinary),
    Column("failures", Integer, nullable=False, server_default="0"),
    Column("failed_since", StoredText),
    Column("cause", StoredText),
    Column("detail", StoredText),
    Column("name", StoredText),
)
"""One row a recurring poll: its latest good answer, or the reason for its failures."""

incident = Table(
    "incident",
    metadata,
    Column("subject", StoredText, primary_key=True),
    Column("account", StoredText, nullable=False, server_default=""),
    Column("seq", Integer, nullable=False),
    Column("body", StoredText),
)
"""One row a subject that had an incident; ``body`` is the open incident, if there is one."""

deviation = Table(
    "deviation",
    metadata,
    Column("description", StoredText, primary_key=True),
    Column("poll", StoredText, nullable=False),
    Column("seen_at", StoredText, nullable=False),
    Column("sample", StoredText, nullable=False),
)
"""One row a difference between AiTEMS and its documents, with a sample that holds no value.

A difference is reported once for all accounts.
"""

event = Table(
    "event",
    metadata,
    Column("position", POSITION, primary_key=True, autoincrement=True),
    Column("id", StoredText, nullable=False, unique=True),
    Column("subject", StoredText, nullable=False),
    Column("account", StoredText, nullable=False, server_default=""),
    Column("seq", Integer, nullable=False),
    Column("kind", StoredText, nullable=False),
    Column("body", StoredText, nullable=False),
    Column("group_key", StoredText),
    Column("recorded_at", StoredText, nullable=False),
    Column("routed_at", StoredText),
    Column("route", StoredText),
    UniqueConstraint("subject", "seq", name="uq_event_subject_seq"),
)
"""Every change; a row without ``routed_at`` is in the outbox."""

Index("ix_event_subject_recorded", event.c.subject, event.c.recorded_at)
Index("ix_event_recorded", event.c.recorded_at)
_partial_index("ix_event_group", event.c.group_key, where=event.c.group_key.is_not(None))
_partial_index("ix_event_unrouted", event.c.position, where=event.c.routed_at.is_(None))

delivery = Table(
    "delivery",
    metadata,
    Column("position", POSITION, primary_key=True, autoincrement=True),
    Column("id", StoredText, nullable=False, unique=True),
    Column("receiver", StoredText, nullable=False),
    Column("group_key", StoredText),
    Column("sealed", Boolean, nullable=False),
    Column("urgent", Boolean, nullable=False),
    Column("body", LargeBinary),
    Column("state", StoredText, nullable=False),
    Column("reason", StoredText, nullable=False, server_default=""),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("degrade", Integer, nullable=False, server_default="0"),
    Column("may_be_repeat", Boolean, nullable=False, server_default=false()),
    Column("created_at", StoredText, nullable=False),
    Column("next_at", StoredText),
    Column("token", StoredText),
    Column("lease_until", StoredText),
    Column("attempted_at", StoredText),
    Column("settled_at", StoredText),
    Column("answer", StoredText),
    Column("receipt", StoredText),
    Column("mention", StoredText),
    Column("lookups", Integer, nullable=False, server_default="0"),
    Column("allowed_at", StoredText, nullable=False, server_default=""),
    Column("fallback_for", StoredText),
    Column("first_in_line", Boolean, nullable=False, server_default=true()),
)
"""One message to one receiver; a group is sealed when it is leased first, everything else at once.

``first_in_line`` says that no line of it has an earlier open delivery; ``store.delivery.lines`` keeps it.
"""

# Not partial indexes: SQLite uses one only for a condition in the same words, and these queries have parameters. The
# partial ones below have none: an open delivery has a next time, and a dead one has it until its end is announced.
_of_state = (delivery.c.state, delivery.c.receiver, delivery.c.first_in_line)
Index("ix_delivery_state", *_of_state, delivery.c.next_at, delivery.c.urgent)
Index("ix_delivery_turn", *_of_state, delivery.c.urgent.desc(), delivery.c.position, delivery.c.next_at)
_open = delivery.c.next_at.is_not(None)
_partial_index("ix_delivery_allowed", delivery.c.receiver, delivery.c.allowed_at, where=_open)
_partial_index(
    "ix_delivery_failed",
    delivery.c.receiver,
    delivery.c.urgent,
    delivery.c.created_at,
    where=and_(delivery.c.reason != "", _open),
)
_partial_index("ix_delivery_group", delivery.c.receiver, delivery.c.group_key, where=~delivery.c.sealed)

line = Table(
    "line",
    metadata,
    Column("receiver", StoredText, primary_key=True),
    Column("subject", StoredText, primary_key=True),
    Column("position", POSITION, primary_key=True, autoincrement=False),
)
"""The open deliveries of each line (receiver and subject), in order: only the first may be sent."""

Index("ix_line_position", line.c.position)

ledger = Table(
    "ledger",
    metadata,
    Column("event_id", StoredText, primary_key=True),
    Column("receiver", StoredText, primary_key=True),
    Column("delivery_id", StoredText, nullable=False),
    Column("subject", StoredText, nullable=False),
    Column("receiver_seq", Integer, nullable=False),
    Column("ending", StoredText),
    Column("ended_at", StoredText),
    Column("fallback_done", StoredText),
    UniqueConstraint("receiver", "subject", "receiver_seq", name="uq_ledger_receiver_seq"),
)
"""Exactly one entry for each event and receiver of its route, with the state in which it ended.

``fallback_done`` is the fallback that needs the event no more: it has an entry of its own, or must not get the event.
"""

Index("ix_ledger_delivery", ledger.c.delivery_id)
_unended = ledger.c.ending.is_(None)
_partial_index("ix_ledger_open", ledger.c.receiver, ledger.c.fallback_done, where=_unended)

counter = Table(
    "counter",
    metadata,
    Column("receiver", StoredText, primary_key=True),
    Column("subject", StoredText, primary_key=True),
    Column("last_seq", Integer, nullable=False),
)
"""The latest ``receiver_seq`` of a line; it outlives the pruned ledger."""

silence = Table(
    "silence",
    metadata,
    Column("id", StoredText, primary_key=True),
    Column("match", StoredText, nullable=False),
    Column("starts_at", StoredText, nullable=False),
    Column("ends_at", StoredText, nullable=False),
    Column("author", StoredText, nullable=False),
    Column("reason", StoredText, nullable=False),
    Column("ended_at", StoredText),
    Column("ended_by", StoredText),
)
"""One row a silence, also after its end: the reason of a silenced delivery is its id."""

receiver = Table(
    "receiver",
    metadata,
    Column("name", StoredText, primary_key=True),
    Column("seq", Integer, nullable=False),
    Column("failing_since", StoredText),
    Column("reason", StoredText),
    Column("answer", StoredText),
    Column("troubled_since", StoredText),
    Column("parked", Boolean, nullable=False, server_default=false()),
)
"""One row a receiver that had an attempt without success; ``failing_since`` is set while it is failing."""

operator_action = Table(
    "operator_action",
    metadata,
    Column("position", POSITION, primary_key=True, autoincrement=True),
    Column("kind", StoredText, nullable=False),
    Column("target", StoredText, nullable=False),
    Column("author", StoredText, nullable=False),
    Column("at", StoredText, nullable=False),
    Column("outcome", StoredText, nullable=False),
    Column("reason", StoredText, nullable=False),
)
"""One row a retry, drop, test, silence, end of a silence or reload, with its author."""

Index("ix_operator_action_target", operator_action.c.target)
Index("ix_operator_action_at", operator_action.c.at)

ended_session = Table(
    "ended_session",
    metadata,
    Column("id", StoredText, primary_key=True),
    Column("expires_at", StoredText, nullable=False),
)
"""One row a session of the page that was ended by signing out, until it would have expired."""
