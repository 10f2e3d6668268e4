"""How the receivers stand: parked ones, what is too old for them, and dead letters that are still to be told.

A dead row keeps ``next_at`` until its death is told; so nothing is forgotten when the process dies between the two.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import ColumnElement, Connection, RowMapping, Select, and_, func, insert, select, update
from sqlalchemy.dialects.sqlite import insert as upsert

from watcher.core.delivery.facts import RECEIVER_REMOVED
from watcher.core.delivery.model import PARKED_RETRY, ReceiverSignal, SignalKind, State
from watcher.core.delivery.receiver_health import (
    DEAD_LETTERS_MAX,
    DeadLetter,
    ReceiverState,
    is_news,
    state_change,
    undelivered,
)
from watcher.core.event import Event, Kind, after_restore
from watcher.core.messages.training import compose, plain_text
from watcher.core.timestamps import from_text, to_text
from watcher.store import schema
from watcher.store.epoch import restored_at
from watcher.store.rows import event_row, read_event, read_time, write_time

_delivery = schema.delivery
REMOVED = ReceiverSignal(health=SignalKind.REFUSES, reason=RECEIVER_REMOVED)
_WAITING = (State.PENDING.value, State.UNCERTAIN.value)
DOUBT_REST: Final = timedelta(seconds=10)
"""Between two looks for a message in doubt at least, also when its receiver is mended in between."""


def receiver_state_of(connection: Connection, name: str) -> ReceiverState:
    """Return how a receiver stands; one that nothing was told about is well."""
    row = connection.execute(select(schema.receiver).where(schema.receiver.c.name == name)).mappings().one_or_none()
    return ReceiverState(name=name) if row is None else read_receiver_state(row)


def failing_receivers(connection: Connection) -> list[ReceiverState]:
    """Return the receivers that refuse for good."""
    query = select(schema.receiver).where(schema.receiver.c.failing_since.is_not(None)).order_by(schema.receiver.c.name)
    return [read_receiver_state(row) for row in connection.execute(query).mappings()]


def read_receiver_state(row: RowMapping) -> ReceiverState:
    """Read a row of ``receiver``."""
    return ReceiverState(
        name=row["name"],
        seq=row["seq"],
        failing_since=read_time(row["failing_since"]),
        reason=row["reason"] or "",
        answer=row["answer"] or "",
    )


def record_signal(connection: Connection, name: str, signal: ReceiverSignal, epoch: str, now: datetime) -> None:
    """Keep what an attempt says of its receiver, with the event where that is news; after the row was settled."""
    before = receiver_state_of(connection, name)
    if not is_news(before, signal):
        return
    after, event = state_change(before, signal, _count(connection, _waiting_for(name)), epoch, now)
    _keep(connection, after, event)
    if signal.health is SignalKind.REFUSES:
        _put_off(connection, name, now)
    else:
        make_due(connection, _waiting_for(name, (State.PENDING.value,)), now)
        # What is in doubt may still come: two looks for it must not follow at once on each other.
        make_due(connection, _waiting_for(name, (State.UNCERTAIN.value,)), now + DOUBT_REST)


def _keep(connection: Connection, receiver_state: ReceiverState, event: Event | None) -> Event | None:
    """Write how a receiver stands, and the event about it is kept."""
    row = {
        "name": receiver_state.name,
        "seq": receiver_state.seq,
        "failing_since": write_time(receiver_state.failing_since),
        "reason": receiver_state.reason,
        "answer": receiver_state.answer,
    }
    others = {key: value for key, value in row.items() if key != "name"}
    query = upsert(schema.receiver).values(row)
    connection.execute(query.on_conflict_do_update(index_elements=[schema.receiver.c.name], set_=others))
    if event is None:
        return None
    marked = after_restore(event, restored_at(connection))
    connection.execute(insert(schema.event), event_row(marked))
    return marked


def note_removed(connection: Connection, receivers: Iterable[str], epoch: str, now: datetime) -> list[str]:
    """Let receivers that are no longer configured count as broken as long as something waits for them.

    Returns:
        Those of which that is news.
    """
    configured = sorted(receivers)
    awaited = select(_delivery.c.receiver).where(_delivery.c.state.in_(_WAITING)).distinct()
    names = list(connection.scalars(awaited.where(_delivery.c.receiver.not_in(configured))))
    nothing_waits = schema.receiver.c.name.not_in([*configured, *names])
    connection.execute(update(schema.receiver).where(nothing_waits).values(failing_since=None))
    news = [name for name in names if receiver_state_of(connection, name).failing_since is None]
    for name in names:
        record_signal(connection, name, REMOVED, epoch, now)
    return news


def _waiting_for(name: str, states: tuple[str, ...] = _WAITING) -> ColumnElement[bool]:
    return and_(_delivery.c.receiver == name, _delivery.c.state.in_(states))


def _count(connection: Connection, which: ColumnElement[bool]) -> int:
    return int(connection.execute(select(func.count()).where(which)).scalar_one())


def _put_off(connection: Connection, name: str, now: datetime) -> None:
    """Let nothing be tried before the hour is over, whichever row is the oldest by then."""
    until = to_text(now + PARKED_RETRY)
    early = and_(_waiting_for(name), _delivery.c.sealed, _delivery.c.next_at < until)
    connection.execute(update(_delivery).where(early).values(next_at=until))


def make_due(connection: Connection, which: ColumnElement[bool], at: datetime) -> int:
    """Make sealed rows that wait longer due at this time; return how many. An open group keeps its patience."""
    later = and_(which, _delivery.c.sealed, _delivery.c.next_at > to_text(at))
    return connection.execute(update(_delivery).where(later).values(next_at=to_text(at))).rowcount


def probe(connection: Connection, name: str, now: datetime) -> None:
    """Let the oldest row of a parked receiver be tried now."""
    if receiver_state_of(connection, name).failing_since is not None:
        make_due(connection, _delivery.c.position == oldest_waiting(name).scalar_subquery(), now)


def oldest_waiting(name: str) -> Select[int]:
    """Return the position of the oldest row that waits for a receiver."""
    return select(func.min(_delivery.c.position)).where(_waiting_for(name))


def too_old(connection: Connection, name: str, before: datetime, limit: int) -> list[tuple[str, str]]:
    """Return id and reason of what waits for a receiver and was made before this time, though nothing is due now.

    What is uncertain may have arrived: it is looked up or sent again before it is given up, but where the receiver is
    parked and nothing is tried at all.
    """
    receiver_state = receiver_state_of(connection, name)
    parked = receiver_state.failing_since is not None
    states = _WAITING if parked else (State.PENDING.value,)
    old = and_(_delivery.c.receiver == name, _delivery.c.state.in_(states), _delivery.c.created_at <= to_text(before))
    query = select(_delivery.c.id, _delivery.c.reason).where(old).order_by(_delivery.c.position).limit(limit)
    return [
        (row.id, f"expired: {(receiver_state.reason if parked else row.reason) or 'never attempted'}")
        for row in connection.execute(query)
    ]


def announce(connection: Connection, name: str | None, epoch: str, now: datetime) -> list[Event]:
    """Tell the deaths that are not told yet, one event a receiver; ``None`` stands for every receiver."""
    unannounced = and_(_delivery.c.state == State.DEAD.value, _delivery.c.next_at.is_not(None))
    if name is not None:
        unannounced = and_(unannounced, _delivery.c.receiver == name)
    columns = (_delivery.c.id, _delivery.c.receiver, _delivery.c.reason, _delivery.c.created_at)
    rows = connection.execute(select(*columns).where(unannounced).order_by(_delivery.c.position)).mappings().all()
    if not rows:
        return []
    events = []
    for receiver in dict.fromkeys(row["receiver"] for row in rows):
        dead_letters = _dead_letters(connection, unannounced, [row for row in rows if row["receiver"] == receiver])
        if dead_letters:
            receiver_state, event = undelivered(receiver_state_of(connection, receiver), dead_letters, epoch, now)
            events.append(_keep(connection, receiver_state, event) or event)
    connection.execute(update(_delivery).where(unannounced).values(next_at=None))
    return events


def _dead_letters(
    connection: Connection, unannounced: ColumnElement[bool], rows: Iterable[RowMapping]
) -> list[DeadLetter]:
    # A dead letter about dead letters is told by status and /readyz: an event of it would go round in circles.
    ledger, event = schema.ledger.c, schema.event.c
    recipient_report = select(_delivery.c.id).join(schema.ledger, ledger.delivery_id == _delivery.c.id)
    recipient_report = recipient_report.join(schema.event, event.id == ledger.event_id)
    others = set(connection.scalars(recipient_report.where(unannounced, event.kind != Kind.UNDELIVERED.value)))
    return [
        DeadLetter(
            id=row["id"],
            reason=row["reason"],
            # Thousands may die at once, and the events of each are read by a question of their own.
            about=about_text(events_of(connection, row["id"])) if number < DEAD_LETTERS_MAX else "",
            created_at=from_text(row["created_at"]),
        )
        for number, row in enumerate(row for row in rows if row["id"] in others)
    ]


def events_of(connection: Connection, delivery_id: str) -> list[Event]:
    """Return the events that a delivery tells, in their order."""
    query = (
        select(schema.event.c.body)
        .join(schema.ledger, schema.ledger.c.event_id == schema.event.c.id)
        .where(schema.ledger.c.delivery_id == delivery_id)
        .order_by(schema.event.c.position)
    )
    return [read_event(body) for body in connection.scalars(query)]


def about_text(events: list[Event]) -> str:
    """Name in one line what a delivery tells."""
    if not events:
        return ""
    more = f" and {len(events) - 1} more" if len(events) > 1 else ""
    return f"{plain_text(compose(events[0]).title)}{more}"
