"""Read and write the states of receivers, and the dead deliveries that are not announced yet.

The callers decide how a state changes. The store compares the state that the decision was made with.

A dead delivery keeps ``next_at`` until its end is announced, so that a crash between the two loses no announcement.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    RowMapping,
    and_,
    bindparam,
    exists,
    func,
    insert,
    literal,
    select,
    update,
)

from watcher.core.delivery.reason import read_reason, write_reason
from watcher.core.delivery.receiver_change import (
    LOOKUP_WAIT,
    Announcement,
    DeadDelivery,
    DeadGroup,
    ReceiverChange,
    ReceiverSummary,
)
from watcher.core.delivery.receiver_health import DEAD_LETTERS_MAX, URGENT_MAX
from watcher.core.delivery.receiver_state import ReceiverState
from watcher.core.delivery.state import State
from watcher.core.event import URGENT_KINDS, Event, Kind
from watcher.core.routing.planning import OutdatedDecisionError
from watcher.core.timestamps import from_text, to_text
from watcher.store import schema
from watcher.store.delivery import lines
from watcher.store.delivery.queue import WAITING_STATES, oldest_waiting
from watcher.store.delivery.reading import events_of, read_receiver_state
from watcher.store.rows import Row, event_row, read_event, read_time, write_time
from watcher.store.sql.chunks import chunks
from watcher.store.sql.upsert import insert_or_ignore

_delivery = schema.delivery
_receiver = schema.receiver
FAILED_MAX: Final = 32
"""The oldest failed deliveries that are read for the urgent event that has waited longest."""
_has_urgent_event: Final = exists().where(
    schema.ledger.c.delivery_id == _delivery.c.id,
    schema.event.c.id == schema.ledger.c.event_id,
    schema.event.c.kind.in_(sorted(URGENT_KINDS)),
)
# Some are urgent only because an urgent event waits for them.
_FAILED_URGENT: Final = (
    select(_delivery.c.position, _delivery.c.created_at, _has_urgent_event.label("has_urgent_event"))
    .where(
        _delivery.c.receiver == bindparam("name"),
        _delivery.c.urgent,
        # An attempt leaves its reason; a first attempt that is still running has none. As the words of the index.
        _delivery.c.reason != literal("", literal_execute=True),
        _delivery.c.next_at.is_not(None),
        _delivery.c.attempted_at.is_not(None),
        # An expression hides the state from its index, which leads to all that waits.
        func.coalesce(_delivery.c.state, "").in_((*WAITING_STATES, State.SENDING.value)),
        _delivery.c.id != bindparam("settling"),
    )
    .order_by(_delivery.c.created_at)
    .limit(FAILED_MAX)
)
_OLDEST_URGENT: Final = select(func.min(_delivery.c.created_at)).where(
    _delivery.c.position.in_(bindparam("positions", expanding=True)), _has_urgent_event
)
_BOTH: Final = _delivery.c.first_in_line.in_((True, False))
"""With both values named, the index leads from the receiver to the time."""
_UNANNOUNCED: Final = and_(_delivery.c.state == State.DEAD.value, _delivery.c.next_at > "")
_UNANNOUNCED_OF: Final = and_(_UNANNOUNCED, _BOTH, _delivery.c.receiver == bindparam("name"))
_DEAD: Final = (
    select(_delivery.c.position, _delivery.c.id, _delivery.c.reason, _delivery.c.created_at, _delivery.c.settled_at)
    .where(_UNANNOUNCED_OF)
    .order_by(_delivery.c.position)
)
_DEAD_KINDS: Final = (
    select(_delivery.c.id, schema.event.c.kind)
    .join(schema.ledger, schema.ledger.c.delivery_id == _delivery.c.id)
    .join(schema.event, schema.event.c.id == schema.ledger.c.event_id)
    .where(_UNANNOUNCED_OF)
    .distinct()
)
_NEXT_WITH_DEAD: Final = select(func.min(_delivery.c.receiver)).where(
    _delivery.c.state == State.DEAD.value, _delivery.c.receiver > bindparam("name")
)
_STATE: Final = select(_receiver).where(_receiver.c.name == bindparam("name"))


def receiver_state_of(connection: Connection, name: str) -> ReceiverState:
    """Return the state of a receiver; one without a row works."""
    row = connection.execute(_STATE, {"name": name}).mappings().one_or_none()
    return ReceiverState(name=name) if row is None else read_receiver_state(row)


def summary_of(connection: Connection, name: str, settling: str = "", *, ends: bool = False) -> ReceiverSummary:
    """Return the state of a receiver and the deliveries that wait for it, those of running attempts too.

    Args:
        connection: a transaction.
        name: the receiver's name.
        settling: the delivery whose attempt has just ended; it does not count as failed.
        ends: whether that delivery has ended with it, so that it waits no more.
    """
    waiting = and_(_open_for(name), _delivery.c.id != settling) if ends else _open_for(name)
    return ReceiverSummary(
        state=receiver_state_of(connection, name),
        waiting=int(connection.execute(select(func.count()).where(waiting)).scalar_one()),
        urgent=tuple(_urgent_events(connection, waiting)),
        tried_waits=bool(connection.scalar(select(_tried_waits(name)))),
        oldest_allowed_at=read_time(connection.scalar(select(func.min(_delivery.c.allowed_at)).where(_open_for(name)))),
        urgent_since=urgent_since(connection, name, settling),
    )


def _open_for(name: str) -> ColumnElement[bool]:
    """Return the condition of deliveries that wait or are being sent: an attempt may be the only one."""
    return _waiting_for(name, (*WAITING_STATES, State.SENDING.value))


def _urgent_events(connection: Connection, which: ColumnElement[bool]) -> Iterator[Event]:
    query = (
        select(schema.event.c.body)
        .join(schema.ledger, schema.ledger.c.event_id == schema.event.c.id)
        .join(_delivery, _delivery.c.id == schema.ledger.c.delivery_id)
        .where(which, schema.event.c.kind.in_(sorted(URGENT_KINDS)))
        .order_by(schema.event.c.position)
        .limit(URGENT_MAX)
    )
    return (read_event(body) for body in connection.scalars(query).all())


def _tried_waits(name: str) -> ColumnElement[bool]:
    # What was never tried waits for us, as an open group does.
    return exists().where(_open_for(name), _delivery.c.attempted_at.is_not(None))


def forget_failures(connection: Connection, delivery_id: str) -> None:
    """Forget the failed attempts of a receiver once nothing tried waits for it, after a delivery without success.

    The times of the deliveries do not tell since when something waits: one may have ended, or joined a younger one.
    """
    name = connection.scalar(select(_delivery.c.receiver).where(_delivery.c.id == delivery_id))
    this = and_(_receiver.c.name == name, _receiver.c.failing_since.is_(None), _receiver.c.troubled_since.is_not(None))
    idle = and_(this, ~_tried_waits(str(name)))
    connection.execute(update(_receiver).where(idle).values(troubled_since=None, reason="", answer=""))


def urgent_since(connection: Connection, name: str, settling: str) -> datetime | None:
    """Return the creation of the oldest urgent delivery that waits and has failed, or waits for one that has failed.

    That of ``settling`` does not count as failed.
    """
    failed = connection.execute(_FAILED_URGENT, {"name": name, "settling": settling}).all()
    own = [row.created_at for row in failed if row.has_urgent_event]
    hurried = [row.position for row in failed if not row.has_urgent_event]
    return read_time(min([*own, *_behind(connection, hurried)], default=None))


def _behind(connection: Connection, positions: Sequence[int]) -> Iterator[str]:
    """Yield the creation of the oldest urgent deliveries that wait for these."""
    for chunk in chunks(lines.with_later(connection, positions)):
        if (oldest := connection.scalar(_OLDEST_URGENT, {"positions": chunk})) is not None:
            yield oldest


def removed_receivers(connection: Connection, configured: Collection[str]) -> list[ReceiverSummary]:
    """Return the receivers that are not configured although deliveries wait for them."""
    query = select(_delivery.c.receiver).where(_delivery.c.state.in_(WAITING_STATES)).distinct()
    names = connection.scalars(query.where(_delivery.c.receiver.not_in(sorted(configured)))).all()
    return [summary_of(connection, name) for name in sorted(names)]


def write_change(connection: Connection, change: ReceiverChange) -> None:
    """Write the change of a receiver, its event, and the new due times of its deliveries.

    Raises:
        OutdatedDecisionError: the state is not the one that the decision was made with.
    """
    if change.after == change.before and change.not_before is None and change.due_at is None:
        _compare(connection, change.before)
        return
    _write_state(connection, change)
    if change.event is not None:
        connection.execute(insert(schema.event), event_row(change.event))
    name = change.after.name
    if change.not_before is not None:
        _put_off(connection, name, change.not_before)
    if change.due_at is not None:
        make_due(connection, _waiting_for(name, (State.PENDING.value,)), change.due_at)
        # Two lookups of one delivery must not follow each other at once.
        make_due(connection, _waiting_for(name, (State.UNCERTAIN.value,)), change.due_at + LOOKUP_WAIT)


def _compare(connection: Connection, known: ReceiverState) -> None:
    found = receiver_state_of(connection, known.name)
    if found != known:
        raise OutdatedDecisionError(f"the state of receiver {known.name} has changed")


def _write_state(connection: Connection, change: ReceiverChange) -> None:
    before, row = change.before, _state_row(change.after)
    if before.seq == 0 and connection.execute(insert_or_ignore(_receiver).values(row)).rowcount == 1:
        return
    unchanged = and_(
        _receiver.c.name == before.name,
        _receiver.c.seq == before.seq,
        _receiver.c.failing_since.is_not_distinct_from(write_time(before.failing_since)),
        _receiver.c.troubled_since.is_not_distinct_from(write_time(before.troubled_since)),
        _receiver.c.parked.is_(before.parked),
    )
    if connection.execute(update(_receiver).where(unchanged).values(row)).rowcount != 1:
        raise OutdatedDecisionError(f"the state of receiver {before.name} has changed")


def _state_row(state: ReceiverState) -> Row:
    return {
        "name": state.name,
        "seq": state.seq,
        "failing_since": write_time(state.failing_since),
        "troubled_since": write_time(state.troubled_since),
        "parked": state.parked,
        "reason": write_reason(state.reason),
        "answer": state.answer,
    }


def clear_removed(connection: Connection, configured: Collection[str]) -> None:
    """Let receivers that are not configured count as working once no delivery waits for them."""
    waiting = exists().where(_delivery.c.receiver == _receiver.c.name, _delivery.c.state.in_(WAITING_STATES))
    gone = and_(_receiver.c.name.not_in(sorted(configured)), ~waiting)
    connection.execute(update(_receiver).where(gone).values(failing_since=None, troubled_since=None, parked=False))


def _waiting_for(name: str, states: tuple[str, ...] = WAITING_STATES) -> ColumnElement[bool]:
    return and_(_delivery.c.receiver == name, _delivery.c.state.in_(states))


def _put_off(connection: Connection, name: str, until: datetime) -> None:
    """Let no delivery of a receiver be due earlier, whichever is the oldest by then."""
    early = and_(_waiting_for(name), _delivery.c.sealed, _delivery.c.next_at < to_text(until))
    connection.execute(update(_delivery).where(early).values(next_at=to_text(until)))


def make_due(connection: Connection, which: ColumnElement[bool], time: datetime) -> int:
    """Make sealed deliveries that wait longer due at this time; return their number. An open group keeps its wait."""
    later = and_(which, _delivery.c.sealed, _delivery.c.next_at > to_text(time))
    return connection.execute(update(_delivery).where(later).values(next_at=to_text(time))).rowcount


def wake(connection: Connection, name: str, now: datetime) -> int:
    """Make the pending deliveries of a receiver due now; an uncertain one waits for its lookup."""
    return make_due(connection, _waiting_for(name, (State.PENDING.value,)), now)


def probe(connection: Connection, name: str, now: datetime) -> None:
    """Make the oldest delivery of a failing receiver due now."""
    if receiver_state_of(connection, name).failing_since is None:
        return
    if (oldest := oldest_waiting(connection, name)) is not None:
        make_due(connection, _delivery.c.position == oldest, now)


def dead_groups(connection: Connection, name: str | None) -> list[DeadGroup]:
    """Return the dead deliveries that are not announced, by receiver; ``None`` stands for every receiver."""
    names = _with_dead(connection) if name is None else (name,)
    found = {name: connection.execute(_DEAD, {"name": name}).mappings().all() for name in names}
    oldest_first = sorted((rows[0]["position"], receiver) for receiver, rows in found.items() if rows)
    return [
        _dead_group(connection, receiver, found[receiver], _kinds_of(connection, receiver))
        for _, receiver in oldest_first
    ]


def _with_dead(connection: Connection) -> Iterator[str]:
    """Yield the receivers that have dead deliveries, announced or not."""
    name: str | None = ""
    while (name := connection.scalar(_NEXT_WITH_DEAD, {"name": name})) is not None:
        yield name


def _kinds_of(connection: Connection, name: str) -> dict[str, frozenset[Kind]]:
    found: dict[str, frozenset[Kind]] = {}
    for row in connection.execute(_DEAD_KINDS, {"name": name}):
        found[row.id] = found.get(row.id, frozenset()) | {Kind(row.kind)}
    return found


def _dead_group(
    connection: Connection, name: str, rows: Iterable[RowMapping], kinds: dict[str, frozenset[Kind]]
) -> DeadGroup:
    deliveries, described = [], 0
    for row in rows:
        own_kinds = kinds.get(row["id"], frozenset())
        # The events of each are one more query, and the announcement names only the first.
        describe = described < DEAD_LETTERS_MAX and bool(own_kinds - {Kind.UNDELIVERED})
        described += describe
        deliveries.append(
            DeadDelivery(
                id=row["id"],
                reason=read_reason(row["reason"]),
                created_at=from_text(row["created_at"]),
                ended_at=read_time(row["settled_at"]),
                kinds=own_kinds,
                events=tuple(events_of(connection, row["id"])) if describe else (),
            )
        )
    return DeadGroup(state=receiver_state_of(connection, name), deliveries=tuple(deliveries))


def announce(connection: Connection, announcements: Sequence[Announcement]) -> None:
    """Record the events about dead deliveries.

    Raises:
        OutdatedDecisionError: a receiver or a delivery has changed.
    """
    for announcement in announcements:
        if announcement.change is not None:
            write_change(connection, announcement.change)
        for part in chunks(announcement.deliveries):
            _mark_announced(connection, part)


def _mark_announced(connection: Connection, ids: Sequence[str]) -> None:
    these = and_(_delivery.c.id.in_(ids), _UNANNOUNCED)
    if connection.execute(update(_delivery).where(these).values(next_at=None)).rowcount != len(ids):
        raise OutdatedDecisionError("a dead delivery was sent again or dropped")
