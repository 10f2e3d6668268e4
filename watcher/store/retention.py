"""Prune old history: never the newest event of a subject, and no event with an open or unannounced delivery."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from sqlalchemy import Connection, Select, delete, exists, func, select, tuple_

from watcher.core.delivery.state import State
from watcher.core.timestamps import to_text
from watcher.store import schema
from watcher.store.actions import prune_actions
from watcher.store.silences import prune_silences
from watcher.store.writer import StoreWriter

BATCH: Final = 500
"""Events of one transaction, so that a long clean-up delays no delivery."""


class Retention:
    """The store as history pruning uses it."""

    def __init__(self, database: StoreWriter) -> None:
        self._database = database

    async def prune(self, before: datetime) -> int:
        """Delete a batch of events recorded before this time; return their number, 0 at the end."""
        return await self._database.write(lambda connection: _prune(connection, before))

    async def prune_runs(self, before: datetime) -> int:
        """Delete a batch of runs that ended before this time; return their number, 0 at the end."""
        return await self._database.write(lambda connection: _prune_runs(connection, before))


def _prune(connection: Connection, before: datetime) -> int:
    old = list(connection.scalars(_old_events(before)))
    if old:
        entries = schema.ledger.c.event_id.in_(old)
        deliveries = list(connection.scalars(select(schema.ledger.c.delivery_id).where(entries).distinct()))
        connection.execute(delete(schema.ledger).where(entries))
        connection.execute(delete(schema.event).where(schema.event.c.id.in_(old)))
        _prune_empty(connection, deliveries)
    prune_silences(connection, before)
    prune_actions(connection, before)
    return len(old)


def _prune_runs(connection: Connection, before: datetime) -> int:
    run, stage = schema.run, schema.stage
    query = select(run.c.subject, run.c.seq).where(run.c.ended_before < to_text(before))
    old = [tuple(row) for row in connection.execute(query.order_by(run.c.ended_before).limit(BATCH))]
    for table in (stage, run):
        connection.execute(delete(table).where(tuple_(table.c.subject, table.c.seq).in_(old)))
    return len(old)


def _old_events(before: datetime) -> Select[str]:
    event, ledger, delivery = schema.event, schema.ledger, schema.delivery
    newest = select(func.max(event.c.position)).group_by(event.c.subject)
    waiting = exists().where(ledger.c.event_id == event.c.id, ledger.c.ending.is_(None))
    # A dead delivery has a time until its end is announced.
    unannounced = exists().where(
        ledger.c.event_id == event.c.id,
        ledger.c.delivery_id == delivery.c.id,
        delivery.c.state == State.DEAD.value,
        delivery.c.next_at.is_not(None),
    )
    return (
        select(event.c.id)
        .where(event.c.recorded_at < to_text(before), event.c.routed_at.is_not(None))
        .where(event.c.position.not_in(newest), ~waiting, ~unannounced)
        .order_by(event.c.position)
        .limit(BATCH)
    )


def _prune_empty(connection: Connection, deliveries: list[str]) -> None:
    """Delete deliveries without a ledger entry; a group goes with the last of its events."""
    table = schema.delivery
    kept = exists().where(schema.ledger.c.delivery_id == table.c.id)
    connection.execute(delete(table).where(table.c.id.in_(deliveries), ~kept))
