"""What nobody could be told: a broken receiver, or dead letters, of which no other receiver has the news."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, RowMapping, exists, select

from watcher.core.delivery.model import OPEN_STATES, State
from watcher.core.delivery.receiver_health import ReceiverState
from watcher.core.event import Event, Kind
from watcher.core.routing.reason import NotAnnounced, read_reason
from watcher.store import schema
from watcher.store.receivers import read_receiver_state
from watcher.store.rows import read_event
from watcher.store.sqlite.database import Database

LATEST: Final = 50
"""Events of one receiver that are looked at; older ones are about what is long settled."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnannouncedEvent:
    """An event about a receiver that reaches nobody, and why."""

    event: Event
    reason: NotAnnounced


class Unheard:
    """The store as health sees it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def unannounced(self) -> list[UnannouncedEvent]:
        """Return what nobody could be told, the oldest first; empty when all is told or on its way."""
        return await self._database.write(unannounced)


def unannounced(connection: Connection) -> list[UnannouncedEvent]:
    """Return what nobody could be told, the oldest first."""
    rows = connection.execute(select(schema.receiver)).mappings().all()
    receiver_states = [read_receiver_state(row) for row in rows]
    failing_receivers = frozenset(
        receiver_state.name for receiver_state in receiver_states if receiver_state.failing_since is not None
    )
    found = [
        news for receiver_state in receiver_states for news in _about(connection, receiver_state, failing_receivers)
    ]
    return sorted(found, key=lambda news: news.event.recorded_at)


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
    """Say whether there is still something to do about it; ``is_latest``: no later word on whether it passes."""
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
        # Without a word for it, a route drops it on purpose.
        return read_reason(row["route"]).not_announced
    return (
        NotAnnounced.ALL_FAILING
        if any(item.state in OPEN_STATES for item in delivery_outcomes)
        else NotAnnounced.NOT_DELIVERED
    )


def _on_its_way(receiver: str, state: str, failing_receivers: frozenset[str]) -> bool:
    return state in OPEN_STATES and receiver not in failing_receivers
