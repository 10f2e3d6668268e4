"""Lease due deliveries: the first of each line, with a token and an end."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from sqlalchemy import ColumnElement, Connection, RowMapping, and_, exists, func, or_, select, update

from watcher.core.delivery.model import Claim, DeliveryRequest, LeasedDelivery, State
from watcher.core.delivery.reason import read_reason
from watcher.core.event import URGENT_KINDS, Event
from watcher.core.timestamps import from_text, to_text
from watcher.store import schema
from watcher.store.delivery import batches, receivers
from watcher.store.delivery.receivers import WAITING_STATES
from watcher.store.rows import Row, read_event, read_mentions, read_time

LOOKUP_BATCH: Final = 500
"""Uncertain deliveries that are looked up at once."""

_delivery = schema.delivery
_line = schema.line.alias("own_line")
_earlier = schema.line.alias("earlier_line")


def reclaim(connection: Connection, owned: Collection[str], now: datetime) -> int:
    """Make leased deliveries uncertain: those with an expired lease, and all of the owned receivers.

    The outcome of their attempts is unknown. A caller owns a receiver when no other process sends to it.
    """
    lost = or_(_delivery.c.lease_until <= to_text(now), _delivery.c.receiver.in_(list(owned)))
    return _reclaim(connection, lost, now)


def lease_due(connection: Connection, claim: Claim, now: datetime) -> list[LeasedDelivery]:
    """Lease due deliveries of a receiver: urgent ones first, then the oldest."""
    expired = and_(_delivery.c.receiver == claim.receiver, _delivery.c.lease_until <= to_text(now))
    _reclaim(connection, expired, now)
    uncertain = _claim_uncertain(connection, claim, now) if claim.by_lookup else []
    return uncertain or _claim(connection, claim, now)


def _reclaim(connection: Connection, which: ColumnElement[bool], now: datetime) -> int:
    lost = and_(_delivery.c.state == State.SENDING.value, which)
    values = {"state": State.UNCERTAIN.value, "token": None, "may_be_repeat": True, "next_at": to_text(now)}
    return connection.execute(update(_delivery).where(lost).values(values)).rowcount


def first_of_its_lines() -> ColumnElement[bool]:
    """Return the condition that no line of a delivery has an earlier open delivery."""
    earlier = and_(
        _line.c.position == _delivery.c.position,
        _earlier.c.receiver == _line.c.receiver,
        _earlier.c.subject == _line.c.subject,
        _earlier.c.position < _line.c.position,
    )
    return ~exists().where(earlier).correlate(_delivery)


def _claim(connection: Connection, claim: Claim, now: datetime) -> list[LeasedDelivery]:
    states = (State.PENDING.value,) if claim.by_lookup else WAITING_STATES
    waiting = and_(_delivery.c.receiver == claim.receiver, _delivery.c.state.in_(states))
    ready = and_(waiting, _delivery.c.next_at <= to_text(claim.due_by or now))
    due = and_(ready, first_of_its_lines())
    if claim.oldest_only:
        due = and_(due, _delivery.c.position == receivers.oldest_waiting(claim.receiver).scalar_subquery())
    query = select(_delivery).where(due).order_by(_delivery.c.urgent.desc(), _delivery.c.position).limit(claim.limit)
    # PostgreSQL locks the rows: an event that is about to join a group keeps it out of this claim.
    query = query.with_for_update(of=_delivery, skip_locked=True)
    rows = connection.execute(query).mappings().all()
    if rows and claim.batch_max > 1 and not claim.oldest_only:
        rows = [batches.with_waiting(connection, rows[0], ready, claim.batch_max)]
    untried = _untried(connection, rows, claim)
    if rows:
        attempt = {"attempted_at": to_text(now), "attempts": _delivery.c.attempts + 1}
        _lease(connection, rows, claim, now, attempt)
    if untried:
        connection.execute(update(_delivery).where(_delivery.c.id.in_(untried)).values(allowed_at=to_text(now)))
    return [
        _leased(connection, row, claim.token, began_at=now, allowed_at=now if row["id"] in untried else None)
        for row in rows
    ]


def _untried(connection: Connection, rows: Sequence[RowMapping], claim: Claim) -> frozenset[str]:
    """Return the ids of deliveries that have waited for us alone, so that they expire from their first attempt on.

    While the receiver is failing they have waited for it, and their first attempt prolongs nothing. The number of
    attempts does not tell: one that the receiver only throttled is not counted.
    """
    untried = frozenset(row["id"] for row in rows if row["attempted_at"] is None)
    if untried and receivers.receiver_state_of(connection, claim.receiver).failing_since is not None:
        return frozenset()
    return untried


def _claim_uncertain(connection: Connection, claim: Claim, now: datetime) -> list[LeasedDelivery]:
    """Lease every uncertain delivery of the receiver, as soon as one of them is due to be looked up."""
    uncertain = and_(_delivery.c.receiver == claim.receiver, _delivery.c.state == State.UNCERTAIN.value)
    is_due = _delivery.c.next_at <= to_text(claim.due_by or now)
    if not connection.scalar(select(exists().where(uncertain, is_due))):
        return []
    query = select(_delivery).where(uncertain).order_by(_delivery.c.next_at).limit(LOOKUP_BATCH)
    rows = connection.execute(query.with_for_update(of=_delivery, skip_locked=True)).mappings().all()
    _lease(connection, rows, claim, now, {})
    return [_leased(connection, row, claim.token) for row in rows]


def _lease(connection: Connection, rows: Sequence[RowMapping], claim: Claim, now: datetime, more: Row) -> None:
    lease = {"state": State.SENDING.value, "token": claim.token, "lease_until": to_text(now + claim.lease)}
    positions = [row["position"] for row in rows]
    # Sealed before its events are read: nothing joins a group that is about to be rendered.
    values = {**lease, "sealed": True, **more}
    connection.execute(update(_delivery).where(_delivery.c.position.in_(positions)).values(values))


def _leased(
    connection: Connection,
    row: RowMapping,
    token: str,
    began_at: datetime | None = None,
    allowed_at: datetime | None = None,
) -> LeasedDelivery:
    """Read a leased row.

    Args:
        connection: the transaction of the lease.
        row: the row before the lease.
        token: the lease's token.
        began_at: the start of a new attempt; without it the last one is looked up.
        allowed_at: the same for a first attempt, from which the delivery expires.
    """
    entries = _failures_first(_entries(connection, row["id"]))
    events = tuple(replace(event, fallback_for=row["fallback_for"]) for event, _ in entries)
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
        allowed_at=allowed_at or from_text(row["allowed_at"]),
        due_at=from_text(row["next_at"]),
        in_doubt=row["state"] == State.UNCERTAIN.value,
        last_reason=read_reason(row["reason"]),
        receiver_seqs=tuple(receiver_seq for _, receiver_seq in entries),
    )


def _entries(connection: Connection, identity: str) -> list[tuple[Event, int]]:
    query = (
        select(schema.event.c.body, schema.ledger.c.receiver_seq)
        .join(schema.ledger, schema.ledger.c.event_id == schema.event.c.id)
        .where(schema.ledger.c.delivery_id == identity)
        .order_by(schema.event.c.position)
    )
    return [(read_event(row.body), row.receiver_seq) for row in connection.execute(query)]


def _failures_first(entries: list[tuple[Event, int]]) -> list[tuple[Event, int]]:
    """Return each subject with an urgent event first, all its events together and in their order."""
    urgent = list(dict.fromkeys(event.subject for event, _ in entries if event.urgent))
    place = {subject: number for number, subject in enumerate(urgent)}
    return sorted(entries, key=lambda entry: place.get(entry[0].subject, len(place)))


def _sent_alone(connection: Connection, receiver: str, events: Sequence[Event]) -> tuple[Event, ...]:
    """Return the events of a group's catch-up that went to the receiver on their own."""
    if len(events) == 1 or (catch_up_id := events[0].group) is None or any(event.urgent for event in events):
        return ()
    inside = [event.id for event in events]
    query = (
        select(schema.event.c.body)
        .join(schema.ledger, schema.ledger.c.event_id == schema.event.c.id)
        .where(schema.event.c.group_key == catch_up_id, schema.ledger.c.receiver == receiver)
        .where(schema.event.c.id.not_in(inside), schema.event.c.kind.in_(sorted(URGENT_KINDS)))
        .where(schema.ledger.c.ending.is_distinct_from(State.SILENCED.value))
        .order_by(schema.event.c.position)
    )
    return tuple(read_event(body) for body in connection.scalars(query))


def next_due(connection: Connection, receiver: str, *, oldest_only: bool) -> datetime | None:
    """Return the time at which the next waiting delivery is due; of a failing receiver, the oldest one."""
    waiting = and_(_delivery.c.receiver == receiver, _delivery.c.state.in_(WAITING_STATES))
    if oldest_only:
        waiting = and_(waiting, _delivery.c.position == receivers.oldest_waiting(receiver).scalar_subquery())
    earliest = select(func.min(_delivery.c.next_at)).where(waiting, first_of_its_lines())
    return read_time(connection.scalar(earliest))
