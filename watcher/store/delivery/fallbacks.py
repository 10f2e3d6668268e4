"""Urgent events that wait for a failing receiver and go to its fallback.

An event that the fallback has, or must not get, never becomes due for it: its entry in the ledger is marked, so that
only the entries that came since are read again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Final

from sqlalchemy import Connection, Update, and_, bindparam, exists, or_, select, update

from watcher.core.delivery.receiver_state import ReceiverState
from watcher.core.delivery.state import State
from watcher.core.event import URGENT_KINDS
from watcher.core.routing.fallback import FallbackEvent
from watcher.store import schema
from watcher.store.delivery.queue import WAITING_STATES
from watcher.store.delivery.reading import failing_receivers
from watcher.store.rows import read_event, read_mentions

_event = schema.event.c
_entry = schema.ledger.c
_of_fallback = schema.ledger.alias("of_fallback")
_has_it: Final = exists().where(
    _of_fallback.c.event_id == _entry.event_id, _of_fallback.c.receiver == bindparam("fallback")
)
_not_for_it: Final = exists().where(
    _event.id == _entry.event_id,
    or_(_event.kind.not_in(sorted(URGENT_KINDS)), _event.subject == bindparam("about_fallback")),
)
_OPEN: Final = and_(_entry.receiver == bindparam("of"), _entry.ending.is_(None))
_UNMARKED: Final = and_(_OPEN, _entry.fallback_done.is_(None))
_MARK: Final = update(schema.ledger).where(_UNMARKED, or_(_has_it, _not_for_it))
_CLEAR: Final = update(schema.ledger).values(fallback_done=None)
# Two ranges, since no index leads to what differs from a value.
_CLEAR_OTHERS: Final[tuple[Update, Update]] = (
    _CLEAR.where(_OPEN, _entry.fallback_done < bindparam("fallback")),
    _CLEAR.where(_OPEN, _entry.fallback_done > bindparam("fallback")),
)
_DUE: Final = (
    select(_event.body, schema.delivery.c.mention)
    .join(schema.ledger, _entry.event_id == _event.id)
    .join(schema.delivery, schema.delivery.c.id == _entry.delivery_id)
    .where(_UNMARKED, schema.delivery.c.state.in_((*WAITING_STATES, State.SENDING.value)))
    .order_by(_event.position)
    .limit(bindparam("limit"))
)


def fallbacks_due(connection: Connection, fallbacks: Mapping[str, str], limit: int) -> list[FallbackEvent]:
    """Return the events that a fallback does not have yet, at most ``limit`` of each failing receiver."""
    failing = [state for state in failing_receivers(connection) if state.name in fallbacks]
    return [item for state in failing for item in _due(connection, state.name, fallbacks[state.name], limit)]


def _due(connection: Connection, receiver: str, fallback: str, limit: int) -> Iterator[FallbackEvent]:
    _mark_done(connection, receiver, fallback)
    for row in connection.execute(_DUE, {"of": receiver, "limit": limit}).all():
        found = replace(read_event(row.body), fallback_for=receiver)
        yield FallbackEvent(event=found, fallback=fallback, mentions=read_mentions(row.mention))


def _mark_done(connection: Connection, receiver: str, fallback: str) -> None:
    """Mark the entries whose event this fallback needs no more; the marks of an earlier fallback end."""
    these = {"of": receiver, "fallback": fallback}
    for clear in _CLEAR_OTHERS:
        connection.execute(clear, these)
    about_fallback = ReceiverState(name=fallback).subject
    connection.execute(_MARK, {**these, "about_fallback": about_fallback, "fallback_done": fallback})
