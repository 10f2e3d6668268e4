"""Urgent events that wait for a failing receiver and go to its fallback."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from sqlalchemy import Connection, exists, select

from watcher.core.delivery.model import State
from watcher.core.delivery.receiver_health import ReceiverState
from watcher.core.event import URGENT_KINDS
from watcher.core.routing.fallback import FallbackEvent
from watcher.store import schema
from watcher.store.delivery import receivers
from watcher.store.delivery.queue import WAITING_STATES
from watcher.store.rows import read_event, read_mentions


def fallbacks_due(connection: Connection, fallbacks: Mapping[str, str], limit: int) -> list[FallbackEvent]:
    """Return the events that a fallback does not have yet, at most ``limit`` of each failing receiver."""
    failing = [state for state in receivers.failing_receivers(connection) if state.name in fallbacks]
    return [item for state in failing for item in _due(connection, state.name, fallbacks[state.name], limit)]


def _due(connection: Connection, receiver: str, fallback: str, limit: int) -> Iterator[FallbackEvent]:
    event, delivery = schema.event.c, schema.delivery.c
    other = schema.ledger.alias("of_fallback")
    has_it = exists().where(other.c.event_id == event.id, other.c.receiver == fallback)
    query = (
        select(event.body, delivery.mention)
        .join(schema.ledger, schema.ledger.c.event_id == event.id)
        .join(schema.delivery, delivery.id == schema.ledger.c.delivery_id)
        .where(delivery.receiver == receiver, delivery.state.in_((*WAITING_STATES, State.SENDING.value)))
        .where(event.kind.in_(sorted(URGENT_KINDS)), event.subject != ReceiverState(name=fallback).subject, ~has_it)
        .order_by(event.position)
        .limit(limit)
    )
    for row in connection.execute(query).all():
        found = replace(read_event(row.body), fallback_for=receiver)
        yield FallbackEvent(event=found, fallback=fallback, mentions=read_mentions(row.mention))
