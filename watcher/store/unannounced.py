"""Events about receivers that reached no receiver: of a failing receiver, or of dead letters."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, RowMapping, exists, select

from watcher.core.delivery.receiver_state import ReceiverState
from watcher.core.delivery.state import OPEN_STATES, State
from watcher.core.event import Event, Kind
from watcher.core.routing.reason import NotAnnounced, read_reason
from watcher.store import schema
from watcher.store.delivery.reading import read_receiver_state
from watcher.store.rows import read_event

LATEST: Final = 50
"""The number of latest events of one receiver that are read; older ones are settled."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnannouncedEvent:
    """An event about a receiver that reached no receiver, and why."""

    event: Event
    reason: NotAnnounced


def unannounced(connection: Connection) -> list[UnannouncedEvent]:
    """Return the events about receivers that reached no receiver, the oldest first."""
    rows = connection.execute(select(schema.receiver)).mappings().all()
    receiver_states = [read_receiver_state(row) for row in rows]
    failing_receivers = frozenset(state.name for state in receiver_states if state.failing_since is not None)
    missed = [event for state in receiver_states for event in _about(connection, state, failing_receivers)]
    return sorted(missed, key=lambda item: item.event.recorded_at)


def _about(
    connection: Connection, receiver_state: ReceiverState, failing_receivers: frozenset[str]
) -> Iterator[UnannouncedEvent]:
    table = schema.event.c
    query = (
        select(table.id, table.body, table.route)
        .where(table.subject == receiver_state.subject, table.routed_at.is_not(None))
        .order_by(table.seq.desc())
        .limit(LATEST)
    )
    is_latest = True
    for row in connection.execute(query).mappings().all():
        event = read_event(row["body"])
        matters = _matters(connection, receiver_state, event, is_latest=is_latest)
        is_latest = is_latest and event.kind is Kind.UNDELIVERED
        if matters and (reason := _why(connection, row, failing_receivers)) is not None:
            yield UnannouncedEvent(event=event, reason=reason)


def _matters(connection: Connection, receiver_state: ReceiverState, event: Event, *, is_latest: bool) -> bool:
    """Say whether the event still needs attention; ``is_latest``: no later event about the receiver's state."""
    match event.kind:
        case Kind.RECEIVER_FAILING:
            return is_latest and receiver_state.failing_since is not None
        case Kind.UNDELIVERED:
            return _any_dead(connection, event)
        case _:
            return False


def _any_dead(connection: Connection, event: Event) -> bool:
    ids = [] if event.receiver is None else [item.id for item in event.receiver.deliveries]
    table = schema.delivery.c
    return bool(connection.scalar(select(exists().where(table.id.in_(ids), table.state == State.DEAD.value))))


def _why(connection: Connection, row: RowMapping, failing_receivers: frozenset[str]) -> NotAnnounced | None:
    table = schema.delivery.c
    query = (
        select(table.receiver, table.state)
        .join(schema.ledger, schema.ledger.c.delivery_id == table.id)
        .where(schema.ledger.c.event_id == row["id"])
    )
    delivery_outcomes = connection.execute(query).all()
    if any(
        item.state == State.DELIVERED or _on_its_way(item.receiver, item.state, failing_receivers)
        for item in delivery_outcomes
    ):
        return None
    if not delivery_outcomes:
        # A route without receivers names the reason, unless it drops the event on purpose.
        return read_reason(row["route"]).not_announced
    return (
        NotAnnounced.ALL_FAILING
        if any(item.state in OPEN_STATES for item in delivery_outcomes)
        else NotAnnounced.NOT_DELIVERED
    )


def _on_its_way(receiver: str, state: str, failing_receivers: frozenset[str]) -> bool:
    return state in OPEN_STATES and receiver not in failing_receivers
