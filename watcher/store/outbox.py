"""From events to deliveries: each event is routed once, in the transaction that makes its deliveries."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from sqlalchemy import Connection, bindparam, insert, select, update
from sqlalchemy.dialects.sqlite import insert as upsert

from watcher.core.delivery import State
from watcher.core.event import Event, delivery_id
from watcher.core.moment import to_text
from watcher.core.routing import Plan
from watcher.store import schema
from watcher.store.database import Database
from watcher.store.rows import Row, read_event

Seal = Callable[[str, Event, int], bytes | None]
"""Receiver, event and ``receiver_seq`` to the bytes that are kept with the delivery."""


class Outbox:
    """The store as the routing stage sees it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def unrouted(self, limit: int) -> list[Event]:
        """Return the oldest events that no route has seen yet."""
        return await self._database.write(lambda connection: _unrouted(connection, limit))

    async def enqueue(self, plans: Sequence[tuple[Event, Plan]], seal: Seal, now: datetime) -> None:
        """Make the deliveries and ledger entries of these events and mark them routed; all of it or nothing."""
        await self._database.write(lambda connection: _enqueue(connection, plans, seal, now))


def _unrouted(connection: Connection, limit: int) -> list[Event]:
    query = select(schema.event.c.body).where(schema.event.c.routed_at.is_(None)).order_by(schema.event.c.position)
    return [read_event(body) for body in connection.scalars(query.limit(limit))]


def _enqueue(connection: Connection, plans: Sequence[tuple[Event, Plan]], seal: Seal, now: datetime) -> None:
    deliveries: list[Row] = []
    entries: list[Row] = []
    for event, plan in plans:
        for receiver in plan.to:
            number = _next_number(connection, receiver, event.subject)
            entry = _entry(event, receiver, number)
            entries.append(entry)
            deliveries.append(_delivery(event, receiver, entry["delivery_id"], seal(receiver, event, number), now))
    _insert_all(connection, deliveries, entries)
    routed = [{"event_id": event.id, "at": to_text(now), "why": plan.reason} for event, plan in plans]
    connection.execute(_MARK_ROUTED, routed)


def _insert_all(connection: Connection, deliveries: list[Row], entries: list[Row]) -> None:
    if deliveries:
        connection.execute(insert(schema.delivery), deliveries)
        connection.execute(insert(schema.ledger), entries)


def _next_number(connection: Connection, receiver: str, subject: str) -> int:
    counted = upsert(schema.counter).values(receiver=receiver, subject=subject, last_seq=1)
    counted = counted.on_conflict_do_update(
        index_elements=[schema.counter.c.receiver, schema.counter.c.subject],
        set_={"last_seq": schema.counter.c.last_seq + 1},
    )
    return int(connection.execute(counted.returning(schema.counter.c.last_seq)).scalar_one())


def _entry(event: Event, receiver: str, number: int) -> Row:
    return {
        "event_id": event.id,
        "receiver": receiver,
        "delivery_id": delivery_id((event.id,), receiver),
        "subject": event.subject,
        "receiver_seq": number,
    }


def _delivery(event: Event, receiver: str, identity: str, body: bytes | None, now: datetime) -> Row:
    return {
        "id": identity,
        "receiver": receiver,
        "line": event.subject,
        "urgent": event.urgent,
        "body": body,
        "state": State.PENDING.value,
        "created_at": to_text(now),
        "next_at": to_text(now),
    }


_MARK_ROUTED = (
    update(schema.event)
    .where(schema.event.c.id == bindparam("event_id"))
    .values(routed_at=bindparam("at"), route=bindparam("why"))
)
