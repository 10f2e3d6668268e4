"""Deliveries as reports show them: state, reason and events."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from operator import itemgetter
from typing import Final

from sqlalchemy import Connection, RowMapping, bindparam, func, literal, select

from watcher.core.action import Action
from watcher.core.delivery.reason import NO_REASON, Reason, read_reason
from watcher.core.delivery.state import State
from watcher.core.event import Event
from watcher.core.timestamps import from_text
from watcher.store import actions, schema
from watcher.store.delivery.reading import events_of
from watcher.store.rows import read_time
from watcher.store.sql.chunks import chunks

NOT_WELL: Final = frozenset({State.PENDING, State.SENDING, State.UNCERTAIN, State.HELD, State.DEAD})
"""States of deliveries that have not arrived, apart from silenced and dropped ones."""
WAITING: Final = frozenset({State.PENDING, State.UNCERTAIN})
"""States in which a delivery waits for its next attempt."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryView:
    """One delivery."""

    id: str
    receiver: str
    state: State
    reason: Reason
    attempts: int
    may_be_repeat: bool
    created_at: datetime
    attempted_at: datetime | None
    next_at: datetime | None
    settled_at: datetime | None
    answer: str | None
    events: tuple[Event, ...]
    receiver_reason: Reason = NO_REASON
    """Why its receiver is failing; empty while that works."""
    actions: tuple[Action, ...] = ()
    """Its retries and its drop by people, the oldest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryFilter:
    """Which deliveries to show."""

    states: frozenset[State] = NOT_WELL
    receiver: str | None = None
    beginning: str | None = None
    """The beginning of the id."""
    ids: frozenset[str] | None = None
    limit: int = 50
    oldest: bool = False
    """Whether the limit takes the oldest ones, and not the latest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SentDelivery:
    """The times of a delivery, the number of its events, and the reason of its failing receiver."""

    created_at: datetime
    attempted_at: datetime | None
    next_at: datetime | None
    may_be_repeat: bool
    events: int
    receiver_reason: Reason = NO_REASON
    """Why its receiver is failing, while the delivery waits; empty while that works."""


def sent_deliveries(connection: Connection, ids: Iterable[str]) -> dict[str, SentDelivery]:
    """Return the times of deliveries and the reasons of their failing receivers, by id."""
    table, ledger = schema.delivery.c, schema.ledger.c
    events = select(func.count()).where(ledger.delivery_id == table.id).scalar_subquery()
    times = (table.created_at, table.attempted_at, table.next_at)
    query = select(table.id, table.receiver, table.state, table.may_be_repeat, *times, events.label("events"))
    found: dict[str, SentDelivery] = {}
    failing = _failing_reasons(connection)
    for part in chunks(sorted(set(ids))):
        for row in connection.execute(query.where(table.id.in_(part))).mappings():
            found[row["id"]] = _sent_delivery(row, failing)
    return found


def _sent_delivery(row: RowMapping, failing: Mapping[str, Reason]) -> SentDelivery:
    return SentDelivery(
        created_at=from_text(row["created_at"]),
        attempted_at=read_time(row["attempted_at"]),
        next_at=_next_at(row),
        may_be_repeat=row["may_be_repeat"],
        events=row["events"],
        receiver_reason=_receiver_reason(row, failing),
    )


def _receiver_reason(row: RowMapping, failing: Mapping[str, Reason]) -> Reason:
    return failing.get(row["receiver"], NO_REASON) if row["state"] in WAITING else NO_REASON


def _next_at(row: RowMapping) -> datetime | None:
    # A dead delivery has a time until its end is announced.
    return read_time(row["next_at"]) if row["state"] in WAITING else None


def delivery_views(connection: Connection, wanted: DeliveryFilter) -> list[DeliveryView]:
    """Return the latest or the oldest deliveries that match, the oldest of them first."""
    table = schema.delivery.c
    states = sorted(state.value for state in wanted.states)
    order = table.position if wanted.oldest else table.position.desc()
    query = select(schema.delivery).where(table.state.in_(states)).order_by(order).limit(wanted.limit)
    if wanted.receiver is not None:
        query = query.where(table.receiver == wanted.receiver)
    if wanted.beginning is not None:
        query = query.where(table.id.istartswith(wanted.beginning, autoescape=True))
    if wanted.ids is not None:
        query = query.where(table.id.in_(sorted(wanted.ids)))
    rows = sorted(connection.execute(query).mappings(), key=itemgetter("position"))
    failing, done = _failing_reasons(connection), actions.of_targets(connection, (row["id"] for row in rows))
    return [_delivery_view(connection, row, failing, done.get(row["id"], ())) for row in rows]


LATEST_SETTLED: Final = 8
"""The latest deliveries of each kind among which the last one to arrive is looked for: a retry arrives out of order."""
_WHERE_DELIVERED: Final = (
    schema.delivery.c.state == literal(State.DELIVERED.value),
    schema.delivery.c.receiver == bindparam("receiver"),
    schema.delivery.c.first_in_line == bindparam("first"),
    schema.delivery.c.urgent == bindparam("urgent"),
)
_LATEST_SETTLED: Final = (
    select(schema.delivery.c.settled_at)
    .where(*_WHERE_DELIVERED)
    .order_by(schema.delivery.c.position.desc())
    .limit(LATEST_SETTLED)
)


def last_delivered(connection: Connection, receivers: Iterable[str]) -> dict[str, datetime]:
    """Return when each of these receivers got its last delivery, as far as its latest ones show that."""
    return {name: max(times) for name in receivers if (times := _latest_settled(connection, name))}


def _latest_settled(connection: Connection, receiver: str) -> list[datetime]:
    # Each pair leads to its own end of the index; without them, all that was delivered would be sorted.
    pairs = [{"first": first, "urgent": urgent} for first in (False, True) for urgent in (False, True)]
    found = (connection.execute(_LATEST_SETTLED, {"receiver": receiver, **pair}).scalars() for pair in pairs)
    return [from_text(time) for times in found for time in times if time is not None]


def _failing_reasons(connection: Connection) -> dict[str, Reason]:
    receiver = schema.receiver.c
    query = select(receiver.name, receiver.reason).where(receiver.failing_since.is_not(None))
    return {row.name: read_reason(row.reason or "") for row in connection.execute(query)}


def _delivery_view(
    connection: Connection, row: RowMapping, failing: Mapping[str, Reason], done: tuple[Action, ...]
) -> DeliveryView:
    return DeliveryView(
        id=row["id"],
        receiver=row["receiver"],
        state=State(row["state"]),
        reason=read_reason(row["reason"]),
        attempts=row["attempts"],
        may_be_repeat=row["may_be_repeat"],
        created_at=from_text(row["created_at"]),
        attempted_at=read_time(row["attempted_at"]),
        next_at=_next_at(row),
        settled_at=read_time(row["settled_at"]),
        answer=row["answer"],
        events=tuple(events_of(connection, row["id"])),
        receiver_reason=_receiver_reason(row, failing),
        actions=done,
    )
