"""Forgetting what is over and old: never a training's newest event, never what waits for its end or for being told."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from sqlalchemy import Connection, Select, delete, exists, func, select

from watcher.core.delivery.model import State
from watcher.core.timestamps import to_text
from watcher.store import schema
from watcher.store.silences import prune_silences
from watcher.store.sqlite.database import Database

BATCH: Final = 500
"""Rows of one transaction, so that a big clean-up holds up no delivery."""


class Retention:
    """The store as the upkeep sees it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def prune(self, before: datetime) -> int:
        """Forget a batch of events that were recorded before this time; return how many, 0 when there are no more."""
        return await self._database.write(lambda connection: _prune(connection, before))


def _prune(connection: Connection, before: datetime) -> int:
    old = list(connection.scalars(_old_events(before)))
    if old:
        entries = schema.ledger.c.event_id.in_(old)
        deliveries = list(connection.scalars(select(schema.ledger.c.delivery_id).where(entries).distinct()))
        connection.execute(delete(schema.ledger).where(entries))
        connection.execute(delete(schema.event).where(schema.event.c.id.in_(old)))
        _prune_empty(connection, deliveries)
    prune_silences(connection, before)
    return len(old)


def _old_events(before: datetime) -> Select[str]:
    event, ledger, delivery = schema.event, schema.ledger, schema.delivery
    newest = select(func.max(event.c.position)).group_by(event.c.subject)
    waiting = exists().where(ledger.c.event_id == event.c.id, ledger.c.ending.is_(None))
    # A death keeps its row's time until it is told.
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
    """Forget deliveries of which no ledger entry is left; a group goes with the last of its events."""
    table = schema.delivery
    kept = exists().where(schema.ledger.c.delivery_id == table.c.id)
    connection.execute(delete(table).where(table.c.id.in_(deliveries), ~kept))
