"""Join what waits for a channel: the due deliveries of single events become one message.

The oldest of them takes the events, the places in the lines and the mentions of the others, whose rows are deleted.
Each event keeps its one entry in the ledger.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from sqlalchemy import ColumnElement, Connection, RowMapping, and_, delete, func, insert, select, update

from watcher.core.delivery.model import State
from watcher.core.event import INCIDENT_KINDS, RECEIVER_KINDS, STORE_KINDS
from watcher.core.routing.routes import merge_mentions
from watcher.store import schema
from watcher.store.rows import Row, read_mentions, write_mentions

ALONE_MAX: Final = 3
"""So few waiting messages are sent one by one: a message an event is easier to read."""
CANDIDATES_MAX: Final = 1_000
"""Waiting deliveries whose events and lines are read for one message, however long the queue is."""

_delivery = schema.delivery
_line = schema.line
_own = schema.line.alias("own_line")
_OF_NO_TRAINING: Final = sorted(INCIDENT_KINDS | STORE_KINDS | RECEIVER_KINDS)
"""Kinds of events that need a message of their own, for their remedy."""


def with_waiting(connection: Connection, head: RowMapping, ready: ColumnElement[bool], most: int) -> RowMapping:
    """Join what waits with the next delivery, if that is joinable; return the row of the message that is sent next.

    Args:
        connection: the transaction of the lease.
        head: the delivery that is next.
        ready: the condition of the receiver's deliveries that are due, also of those that wait for an earlier one.
        most: the events of one message at most; failures go first.
    """
    this = _delivery.c.position == head["position"]
    if connection.scalar(select(_delivery.c.position).where(this, _is_new(), _is_of_one_training())) is None:
        return head
    candidates = _candidates(connection, head, ready)
    if len(candidates) <= ALONE_MAX or head["position"] not in candidates:
        return head
    chosen = _chosen(candidates, _lines(connection, candidates), most)
    return _joined(connection, chosen) if len(chosen) > ALONE_MAX else head


def _candidates(connection: Connection, head: RowMapping, ready: ColumnElement[bool]) -> list[int]:
    """Return the first deliveries of the queue that can be joined with the head."""
    # A copy for a failing receiver says so, and each message can name only one.
    alike = _delivery.c.fallback_for.is_not_distinct_from(head["fallback_for"])
    query = select(_delivery.c.position).where(ready, _is_new(), alike)
    order = (_delivery.c.urgent.desc(), _delivery.c.position)
    first = connection.scalars(query.order_by(*order).limit(CANDIDATES_MAX)).all()
    # By their positions alone: with the state, SQLite would read all that waits.
    these = select(_delivery.c.position).where(_delivery.c.position.in_(first), _is_of_one_training())
    return list(connection.scalars(these.order_by(*order)))


def _is_new() -> ColumnElement[bool]:
    """Return the condition of a delivery that certainly has not arrived and is not rendered yet."""
    new = and_(_delivery.c.state == State.PENDING.value, ~_delivery.c.may_be_repeat, _delivery.c.degrade == 0)
    return and_(_delivery.c.sealed, new, _delivery.c.body.is_(None))


def _is_of_one_training() -> ColumnElement[bool]:
    """Return the condition of a delivery of a single event, one of a training."""
    entries = schema.ledger.c.delivery_id == _delivery.c.id
    count = select(func.count()).where(entries).correlate(_delivery).scalar_subquery()
    kind = (
        select(func.min(schema.event.c.kind))
        .join(schema.ledger, schema.ledger.c.event_id == schema.event.c.id)
        .where(entries)
        .correlate(_delivery)
        .scalar_subquery()
    )
    return and_(count == 1, kind.not_in(_OF_NO_TRAINING))


def _lines(connection: Connection, positions: Sequence[int]) -> Mapping[str, list[int]]:
    """Return the open deliveries of each subject that has one of these, in order and up to the last of these."""
    same = and_(_line.c.receiver == _own.c.receiver, _line.c.subject == _own.c.subject)
    query = select(_line.c.subject, _line.c.position).join(_own, same).where(_own.c.position.in_(positions)).distinct()
    lines: dict[str, list[int]] = {}
    for row in connection.execute(query.where(_line.c.position <= max(positions)).order_by(_line.c.position)):
        lines.setdefault(row.subject, []).append(row.position)
    return lines


def _chosen(candidates: Sequence[int], lines: Mapping[str, list[int]], most: int) -> list[int]:
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
    places = _line.c.position.in_(positions)
    moved = set(connection.scalars(select(_line.c.subject).where(places)))
    held = set(connection.scalars(select(_line.c.subject).where(_line.c.position == to["position"])))
    connection.execute(delete(_line).where(places))
    place = {"receiver": to["receiver"], "position": to["position"]}
    if subjects := sorted(moved - held):
        connection.execute(insert(_line), [{**place, "subject": subject} for subject in subjects])
    connection.execute(delete(_delivery).where(_delivery.c.position.in_(positions)))
