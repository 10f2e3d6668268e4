"""Lease due deliveries: the first of each line, with a token and an end.

Every statement is built once. Each seeks rows by an index, so that a lease costs the same however many deliveries wait.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from sqlalchemy import BindParameter, Connection, RowMapping, Update, and_, bindparam, func, or_, select, update

from watcher.core.delivery.model import Claim, DeliveryRequest, LeasedDelivery
from watcher.core.delivery.reason import read_reason
from watcher.core.delivery.state import State
from watcher.core.event import URGENT_KINDS, Event
from watcher.core.stored_events import StoredEvents
from watcher.core.timestamps import from_text, to_text
from watcher.store import schema
from watcher.store.delivery import batches, receivers, urgency
from watcher.store.delivery.queue import WAITING_STATES, Wanted, due_positions, earliest, oldest_waiting
from watcher.store.rows import Row, read_event, read_mentions, read_time
from watcher.store.sql.chunks import chunks

LOOKUP_BATCH: Final = 500
"""Uncertain deliveries that are looked up at once."""

_delivery = schema.delivery
_THESE: Final[BindParameter[Any]] = bindparam("positions", expanding=True)
_IN_DOUBT: Final = (_delivery.c.receiver == bindparam("receiver"), _delivery.c.state == State.UNCERTAIN.value)

# PostgreSQL locks the rows: an event that is about to join a group keeps it out of this claim. They are read by their
# positions alone: with the state, SQLite would read all that waits.
_LOCKED: Final = (
    select(_delivery)
    .where(_delivery.c.position.in_(_THESE))
    .order_by(_delivery.c.urgent.desc(), _delivery.c.position)
    .with_for_update(of=_delivery, skip_locked=True)
)
_DUE_IN_DOUBT: Final = select(_delivery.c.position).where(*_IN_DOUBT, _delivery.c.next_at <= bindparam("due_by"))
_ALL_IN_DOUBT: Final = (
    select(_delivery)
    .where(*_IN_DOUBT)
    .order_by(_delivery.c.next_at)
    .limit(LOOKUP_BATCH)
    .with_for_update(of=_delivery, skip_locked=True)
)
# Sealed before its events are read: nothing joins a group that is about to be rendered.
_LEASE: Final = update(_delivery).where(_delivery.c.position.in_(_THESE)).values(state=State.SENDING.value, sealed=True)
_ATTEMPT: Final = _LEASE.values(attempts=_delivery.c.attempts + 1)
_RECLAIM: Final = (
    update(_delivery)
    .where(_delivery.c.state == State.SENDING.value)
    .values(state=State.UNCERTAIN.value, token=None, may_be_repeat=True)
)
_EXPIRED: Final = and_(_delivery.c.receiver == bindparam("to"), _delivery.c.lease_until <= bindparam("now"))
_RECLAIM_EXPIRED: Final = _RECLAIM.where(_EXPIRED)
_ENDS: Final = select(func.min(_delivery.c.lease_until)).where(
    _delivery.c.state == State.SENDING.value, _delivery.c.receiver == bindparam("to")
)
_ENTRIES: Final = (
    select(schema.ledger.c.delivery_id, schema.event.c.id, schema.event.c.body, schema.ledger.c.receiver_seq)
    .join(schema.ledger, schema.ledger.c.event_id == schema.event.c.id)
    .where(schema.ledger.c.delivery_id.in_(bindparam("ids", expanding=True)))
    .order_by(schema.event.c.position)
)
_SENT_ALONE: Final = (
    select(schema.event.c.body)
    .join(schema.ledger, schema.ledger.c.event_id == schema.event.c.id)
    .where(schema.event.c.group_key == bindparam("catch_up"), schema.ledger.c.receiver == bindparam("receiver"))
    .where(schema.event.c.id.not_in(bindparam("inside", expanding=True)))
    .where(schema.event.c.kind.in_(sorted(URGENT_KINDS)))
    .where(schema.ledger.c.ending.is_distinct_from(State.SILENCED.value))
    .order_by(schema.event.c.position)
)


@dataclass(frozen=True, slots=True)
class Entry:
    """An event of a delivery, as the store keeps it."""

    id: str
    body: str
    receiver_seq: int


Numbered = tuple[Event, int]
"""An event with its ``receiver_seq``."""


def reclaim(connection: Connection, owned: Collection[str], now: datetime) -> int:
    """Make leased deliveries uncertain: those with an expired lease, and all of the owned receivers.

    The outcome of their attempts is unknown. A caller owns a receiver when no other process sends to it. A store of an
    older version may have urgent deliveries behind others that are not.
    """
    if owned:
        urgency.hurry_all(connection, owned)
    lost = or_(_delivery.c.lease_until <= to_text(now), _delivery.c.receiver.in_(list(owned)))
    return _reclaim(connection, _RECLAIM.where(lost), {"next_at": to_text(now)})


def lease_due(connection: Connection, claim: Claim, now: datetime) -> list[LeasedDelivery]:
    """Lease due deliveries of a receiver: urgent ones first, then the oldest."""
    at = to_text(now)
    _reclaim(connection, _RECLAIM_EXPIRED, {"to": claim.receiver, "now": at, "next_at": at})
    uncertain = _claim_uncertain(connection, claim, now) if claim.by_lookup else []
    return uncertain or _claim(connection, claim, now)


def _reclaim(connection: Connection, lost: Update, values: Row) -> int:
    return connection.execute(lost, values).rowcount


def _claim(connection: Connection, claim: Claim, now: datetime) -> list[LeasedDelivery]:
    rows = _next_rows(connection, claim, to_text(claim.due_by or now))
    if not rows:
        return []
    untried = _untried(connection, rows, claim)
    for first in (True, False):
        # A first attempt begins the time after which the delivery expires.
        allowed = {"allowed_at": to_text(now)} if first else {}
        part = [row for row in rows if (row["position"] in untried) == first]
        _lease(connection, _ATTEMPT, part, claim, now, attempted_at=to_text(now), **allowed)
    return _leased(connection, rows, claim.token, began_at=now, untried=untried)


def _next_rows(connection: Connection, claim: Claim, due_by: str) -> Sequence[RowMapping]:
    states = (State.PENDING.value,) if claim.by_lookup else WAITING_STATES
    if claim.oldest_only:
        oldest = oldest_waiting(connection, claim.receiver)
        positions = [] if oldest is None else [oldest]
    else:
        wanted = Wanted(receiver=claim.receiver, states=states, due_by=due_by, limit=claim.limit)
        positions = due_positions(connection, wanted)
    if not positions:
        return []
    locked = connection.execute(_LOCKED, {"positions": positions}).mappings()
    rows = [row for row in locked if row["state"] in states and row["first_in_line"] and row["next_at"] <= due_by]
    if rows and claim.batch_max > 1 and not claim.oldest_only:
        return [batches.with_waiting(connection, rows[0], due_by, claim.batch_max)]
    return rows


def _untried(connection: Connection, rows: Sequence[RowMapping], claim: Claim) -> frozenset[int]:
    """Return the positions of deliveries that have waited for us alone, so that they expire from their first attempt.

    While the receiver is failing they have waited for it, and their first attempt prolongs nothing. The number of
    attempts does not tell: one that the receiver only throttled is not counted.
    """
    untried = frozenset(row["position"] for row in rows if row["attempted_at"] is None)
    if untried and receivers.receiver_state_of(connection, claim.receiver).failing_since is not None:
        return frozenset()
    return untried


def _claim_uncertain(connection: Connection, claim: Claim, now: datetime) -> list[LeasedDelivery]:
    """Lease every uncertain delivery of the receiver, as soon as one of them is due to be looked up."""
    due = {"receiver": claim.receiver, "due_by": to_text(claim.due_by or now)}
    if connection.execute(_DUE_IN_DOUBT, due).first() is None:
        return []
    rows = connection.execute(_ALL_IN_DOUBT, {"receiver": claim.receiver}).mappings().all()
    _lease(connection, _LEASE, rows, claim, now)
    return _leased(connection, rows, claim.token)


def _lease(
    connection: Connection, lease: Update, rows: Sequence[RowMapping], claim: Claim, now: datetime, **more: str
) -> None:
    values = {"token": claim.token, "lease_until": to_text(now + claim.lease), **more}
    if rows:
        connection.execute(lease, {"positions": [row["position"] for row in rows], **values})


def _leased(
    connection: Connection,
    rows: Sequence[RowMapping],
    token: str,
    began_at: datetime | None = None,
    untried: Collection[int] = (),
) -> list[LeasedDelivery]:
    """Read leased rows.

    Args:
        connection: the transaction of the lease.
        rows: the rows before the lease.
        token: the lease's token.
        began_at: the start of a new attempt; without it the last one is looked up.
        untried: the positions of first attempts, from which these deliveries expire.
    """
    entries = _entries(connection, [row["id"] for row in rows])
    return [
        _read(connection, row, entries[row["id"]], token, began_at, first=row["position"] in untried) for row in rows
    ]


def _read(  # noqa: PLR0913 - the parts of one delivery
    connection: Connection,
    row: RowMapping,
    entries: list[Entry],
    token: str,
    began_at: datetime | None,
    *,
    first: bool,
) -> LeasedDelivery:
    events, receiver_seqs = _events_of(row, entries)
    request = DeliveryRequest(
        delivery_id=row["id"],
        events=events,
        also=_sent_alone(connection, row["receiver"], events),
        body=row["body"],
        attempt=row["attempts"] + (began_at is not None),
        may_be_repeat=row["may_be_repeat"],
        degrade=row["degrade"],
        mentions=read_mentions(row["mention"]),
        attempted_at=began_at or read_time(row["attempted_at"]),
        lookups=row["lookups"],
    )
    return LeasedDelivery(
        request=request,
        token=token,
        created_at=from_text(row["created_at"]),
        allowed_at=began_at if first and began_at is not None else from_text(row["allowed_at"]),
        due_at=from_text(row["next_at"]),
        in_doubt=row["state"] == State.UNCERTAIN.value,
        last_reason=read_reason(row["reason"]),
        receiver_seqs=receiver_seqs,
    )


def _events_of(row: RowMapping, entries: Sequence[Entry]) -> tuple[Sequence[Event], tuple[int, ...]]:
    """Return the events in the order of the message, and their numbers."""
    if len(entries) == 1 and row["fallback_for"] is None:
        (entry,) = entries
        return StoredEvents([entry.body], [entry.id]), (entry.receiver_seq,)
    numbered = _failures_first([(read_event(entry.body), entry.receiver_seq) for entry in entries])
    events = tuple(_with_fallback(event, row["fallback_for"]) for event, _ in numbered)
    return events, tuple(receiver_seq for _, receiver_seq in numbered)


def _with_fallback(event: Event, fallback_for: str | None) -> Event:
    return event if event.fallback_for == fallback_for else replace(event, fallback_for=fallback_for)


def _entries(connection: Connection, ids: Iterable[str]) -> Mapping[str, list[Entry]]:
    found: dict[str, list[Entry]] = {identity: [] for identity in ids}
    for part in chunks(found):
        for row in connection.execute(_ENTRIES, {"ids": part}):
            found[row.delivery_id].append(Entry(row.id, row.body, row.receiver_seq))
    return found


def _failures_first(entries: Sequence[Numbered]) -> list[Numbered]:
    """Return each subject with an urgent event first, all its events together and in their order."""
    urgent = list(dict.fromkeys(event.subject for event, _ in entries if event.urgent))
    place = {subject: number for number, subject in enumerate(urgent)}
    return sorted(entries, key=lambda entry: place.get(entry[0].subject, len(place)))


def _sent_alone(connection: Connection, receiver: str, events: Sequence[Event]) -> tuple[Event, ...]:
    """Return the events of a group's catch-up that went to the receiver on their own."""
    if len(events) == 1 or (catch_up_id := events[0].group) is None or any(event.urgent for event in events):
        return ()
    which = {"catch_up": catch_up_id, "receiver": receiver, "inside": [event.id for event in events]}
    return tuple(read_event(body) for body in connection.scalars(_SENT_ALONE, which))


def next_due(connection: Connection, receiver: str, *, oldest_only: bool) -> datetime | None:
    """Return the time at which the next waiting delivery is due, or a lease ends; of a failing receiver, the oldest."""
    waiting = earliest(connection, receiver, oldest_only=oldest_only)
    lease_until = connection.scalar(_ENDS, {"to": receiver})
    return read_time(min((time for time in (waiting, lease_until) if time is not None), default=None))
