"""Reads the states of receivers and the events of deliveries; a report needs no more of them."""

from __future__ import annotations

from sqlalchemy import Connection, RowMapping, select

from watcher.core.delivery.reason import read_reason
from watcher.core.delivery.receiver_state import ReceiverState
from watcher.core.event import Event
from watcher.store import schema
from watcher.store.rows import read_event, read_time

_receiver = schema.receiver


def failing_receivers(connection: Connection) -> list[ReceiverState]:
    """Return the receivers that are failing."""
    query = select(_receiver).where(_receiver.c.failing_since.is_not(None)).order_by(_receiver.c.name)
    return [read_receiver_state(row) for row in connection.execute(query).mappings()]


def read_receiver_state(row: RowMapping) -> ReceiverState:
    """Read a row of ``receiver``."""
    return ReceiverState(
        name=row["name"],
        seq=row["seq"],
        failing_since=read_time(row["failing_since"]),
        troubled_since=read_time(row["troubled_since"]),
        parked=row["parked"],
        reason=read_reason(row["reason"] or ""),
        answer=row["answer"] or "",
    )


def events_of(connection: Connection, delivery_id: str) -> list[Event]:
    """Return the events of a delivery, in the order of recording."""
    query = (
        select(schema.event.c.body)
        .join(schema.ledger, schema.ledger.c.event_id == schema.event.c.id)
        .where(schema.ledger.c.delivery_id == delivery_id)
        .order_by(schema.event.c.position)
    )
    return [read_event(body) for body in connection.scalars(query)]
