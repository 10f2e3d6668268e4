"""Join what waits for a channel: the due deliveries of single events become one message.

Events of trainings share a message. So do incidents of one account that began, or that are over. The oldest delivery
takes the events, the places in the lines and the mentions of the others, whose rows are deleted. Each event keeps
its one entry in the ledger.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    RowMapping,
    Select,
    and_,
    delete,
    func,
    or_,
    select,
    true,
    update,
)

from watcher.core.delivery.state import State
from watcher.core.event import INCIDENT_KINDS, RECEIVER_KINDS, STORE_KINDS, Kind
from watcher.core.polling.plan import EVERY_SERVICE
from watcher.core.routing.routes import merge_mentions
from watcher.core.training.model import ServiceRef
from watcher.store import schema
from watcher.store.delivery import lines
from watcher.store.delivery.queue import Wanted, due_positions
from watcher.store.rows import Row, read_mentions, write_mentions

ALONE_MAX: Final = 3
"""So few waiting messages are sent one by one: a message an event is easier to read."""
CANDIDATES_MAX: Final = 1_000
"""Waiting deliveries whose events and lines are read for one message, however long the queue is."""

_delivery = schema.delivery
_line = schema.line
_own = schema.line.alias("own_line")
_event = schema.event
_OF_A_TRAINING: Final = _event.c.kind.not_in(sorted(INCIDENT_KINDS | STORE_KINDS | RECEIVER_KINDS))
"""The events that change a training or a service."""
_ANY: Final = true()
_INCIDENT_SUBJECTS: Final = ("service:", "watch:")
"""The incidents that come in crowds: those of a service, and of a training. Others are messages of their own."""


def with_waiting(connection: Connection, head: RowMapping, due_by: str, most: int) -> RowMapping:
    """Join what waits with the next delivery, if that is joinable; return the row of the message that is sent next.

    Args:
        connection: the transaction of the lease.
        head: the delivery that is next.
        due_by: deliveries that are due by this time join, also those that wait for an earlier one.
        most: the events of one message at most; failures go first.
    """
    alike = _alike(connection, head)
    if alike is None:
        return head
    if alike is not _OF_A_TRAINING and (failure := _failures(connection, head, due_by, most)) is not None:
        return failure
    candidates = _candidates(connection, head, due_by, alike)
    if len(candidates) <= ALONE_MAX or head["position"] not in candidates:
        return head
    chosen = choose(candidates, _lines(connection, candidates), most)
    return _joined(connection, chosen) if len(chosen) > ALONE_MAX else head


def _alike(connection: Connection, head: RowMapping) -> ColumnElement[bool] | None:
    """Return the condition of the events that can share a message with the head's; ``None`` where none can."""
    this = and_(_delivery.c.position == head["position"], _is_new(), _is_single())
    of_head = schema.ledger.join(_event, schema.ledger.c.event_id == _event.c.id)
    query = select(_event.c.kind, _event.c.account, _event.c.subject).select_from(of_head)
    row = connection.execute(query.join(_delivery, schema.ledger.c.delivery_id == _delivery.c.id).where(this)).first()
    if row is None or row.kind in STORE_KINDS | RECEIVER_KINDS:
        return None
    if row.kind not in INCIDENT_KINDS:
        return _OF_A_TRAINING
    list_of_services = ServiceRef(row.account, EVERY_SERVICE).subject
    if not row.subject.startswith(_INCIDENT_SUBJECTS) or row.subject == list_of_services:
        return None
    over = _event.c.kind == Kind.RECOVERED.value
    begun = _event.c.kind.in_(sorted(INCIDENT_KINDS - {Kind.RECOVERED}))
    crowds = or_(*(_event.c.subject.startswith(prefix) for prefix in _INCIDENT_SUBJECTS))
    of_account = and_(_event.c.account == row.account, crowds, _event.c.subject != list_of_services)
    return and_(of_account, over if row.kind == Kind.RECOVERED else begun)


def _failures(connection: Connection, head: RowMapping, due_by: str, most: int) -> RowMapping | None:
    """Return the message of the failed trainings that wait behind an incident, if there are any: they go first."""
    candidates = _candidates(connection, head, due_by, _OF_A_TRAINING)
    urgent = set(connection.scalars(_positions(candidates).where(_delivery.c.urgent)))
    if not urgent:
        return None
    chosen = choose(candidates, _lines(connection, candidates), most)
    if urgent.isdisjoint(chosen):
        return None
    # Without enough to join, the first of the line of the first failure is sent alone.
    return _joined(connection, chosen if len(chosen) > ALONE_MAX else chosen[:1])


def _candidates(connection: Connection, head: RowMapping, due_by: str, alike: ColumnElement[bool]) -> list[int]:
    """Return the first deliveries of the queue that each have one such event."""
    # A copy for a failing receiver says so, and each message can name only one.
    as_fallback = _delivery.c.fallback_for.is_not_distinct_from(head["fallback_for"])
    pending = (State.PENDING.value,)
    wanted = Wanted(receiver=head["receiver"], states=pending, due_by=due_by, limit=CANDIDATES_MAX, blocked=True)
    # By their positions alone: with the state, SQLite would read all that waits.
    query = _positions(due_positions(connection, wanted)).where(_is_unsent(), as_fallback, _is_single(alike))
    return list(connection.scalars(query.order_by(_delivery.c.urgent.desc(), _delivery.c.position)))


def _positions(positions: Sequence[int]) -> Select[tuple[int]]:
    return select(_delivery.c.position).where(_delivery.c.position.in_(positions))


def _is_new() -> ColumnElement[bool]:
    """Return the condition of a delivery that certainly has not arrived and is not rendered yet."""
    return and_(_delivery.c.state == State.PENDING.value, _is_unsent())


def _is_unsent() -> ColumnElement[bool]:
    """Return the same condition of a delivery that is pending."""
    return and_(_delivery.c.sealed, ~_delivery.c.may_be_repeat, _delivery.c.degrade == 0, _delivery.c.body.is_(None))


def _is_single(alike: ColumnElement[bool] = _ANY) -> ColumnElement[bool]:
    """Return the condition of a delivery of a single event, one for which this condition holds."""
    entries = schema.ledger.c.delivery_id == _delivery.c.id
    count = select(func.count()).where(entries).correlate(_delivery).scalar_subquery()
    fitting = select(_event.c.position).join(schema.ledger, schema.ledger.c.event_id == _event.c.id)
    return and_(count == 1, fitting.where(entries, alike).correlate(_delivery).exists())


def _lines(connection: Connection, positions: Sequence[int]) -> Mapping[str, list[int]]:
    """Return the open deliveries of each subject that has one of these, in order and up to the last of these."""
    same = and_(_line.c.receiver == _own.c.receiver, _line.c.subject == _own.c.subject)
    query = select(_line.c.subject, _line.c.position).join(_own, same).where(_own.c.position.in_(positions)).distinct()
    lines: dict[str, list[int]] = {}
    for row in connection.execute(query.where(_line.c.position <= max(positions)).order_by(_line.c.position)):
        lines.setdefault(row.subject, []).append(row.position)
    return lines


def choose(candidates: Sequence[int], lines: Mapping[str, list[int]], most: int) -> list[int]:
    """Return the deliveries to join, in the order of the candidates, each with all earlier ones of its line."""
    joinable = set(candidates)
    in_lines = {position for line in lines.values() for position in line}
    # A delivery that was retried by hand is in no line.
    needs = {position: [position] for position in joinable - in_lines}
    for line in lines.values():
        needs.update(_beginnings(line, joinable, most))
    chosen: dict[int, None] = {}
    for position in candidates:
        more = [other for other in needs.get(position, ()) if other not in chosen]
        if len(chosen) + len(more) <= most:
            chosen.update(dict.fromkeys(more))
    return list(chosen)


def _beginnings(line: Sequence[int], joinable: set[int], most: int) -> Iterator[tuple[int, list[int]]]:
    """Yield each position of a line with all up to it, as far as all of them can be joined."""
    for number, position in enumerate(line[:most], start=1):
        if position not in joinable:
            return
        yield position, list(line[:number])


def _joined(connection: Connection, positions: Sequence[int]) -> RowMapping:
    query = select(_delivery).where(_delivery.c.position.in_(positions)).order_by(_delivery.c.position)
    rows = connection.execute(query.with_for_update(of=_delivery)).mappings().all()
    # The oldest is the first of its line, and older than what stays in any line.
    first = rows[0]
    _move(connection, rows[1:], first)
    this = _delivery.c.position == first["position"]
    connection.execute(update(_delivery).where(this).values(_columns(rows)))
    return connection.execute(select(_delivery).where(this)).mappings().one()


def _columns(rows: Sequence[RowMapping]) -> Row:
    attempts = [row["attempted_at"] for row in rows]
    mentions = [mention for row in rows for mention in read_mentions(row["mention"])]
    return {
        "urgent": any(row["urgent"] for row in rows),
        "attempts": min(row["attempts"] for row in rows),
        # The youngest counts, so that no event expires early; without an attempt, the next one does.
        "attempted_at": None if None in attempts else max(attempts),
        "allowed_at": max(row["allowed_at"] for row in rows),
        # The oldest counts here: new events must not hide how long a receiver has kept the others waiting.
        "created_at": min(row["created_at"] for row in rows),
        "mention": write_mentions(merge_mentions((), mentions)),
    }


def _move(connection: Connection, rows: Sequence[RowMapping], to: RowMapping) -> None:
    """Move the events and the places in the lines to another delivery, and delete the rows."""
    positions = [row["position"] for row in rows]
    entries = update(schema.ledger).where(schema.ledger.c.delivery_id.in_([row["id"] for row in rows]))
    connection.execute(entries.values(delivery_id=to["id"]))
    lines.move(connection, to["receiver"], positions, to["position"])
    connection.execute(delete(_delivery).where(_delivery.c.position.in_(positions)))
