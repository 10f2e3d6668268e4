"""End deliveries that nobody sends: expired ones, those of removed receivers, and dropped ones."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import BindParameter, Connection, Select, and_, bindparam, func, select, update

from watcher.core.delivery.model import Verdict
from watcher.core.delivery.reason import read_reason, write_reason
from watcher.core.delivery.state import DELIVERED_IN_BATCH, OPEN_STATES, State
from watcher.core.delivery.waiting import DeliveryEnd, WaitingDelivery
from watcher.core.timestamps import to_text
from watcher.store import schema
from watcher.store.delivery import lines
from watcher.store.delivery.queue import WAITING_STATES
from watcher.store.delivery.receivers import forget_failures
from watcher.store.rows import Row, write_time
from watcher.store.sql.chunks import chunks

ENDED_MAX: Final = 200
"""Deliveries that end in one transaction, so that those of one receiver delay no other."""

_delivery = schema.delivery
_THESE: Final[BindParameter[Any]] = bindparam("ids", expanding=True)
_CLOSE: Final = update(schema.ledger).where(schema.ledger.c.delivery_id.in_(_THESE))
_WAITING: Final = select(_delivery.c.id, _delivery.c.state, _delivery.c.reason)
_EXPIRABLE: Final = _WAITING.where(
    _delivery.c.receiver == bindparam("receiver"),
    _delivery.c.next_at.is_not(None),
    _delivery.c.allowed_at <= bindparam("before"),
    # An expression hides the state from its index, which has no order by age: all that waits would be sorted.
    func.coalesce(_delivery.c.state, "").in_(bindparam("states", expanding=True)),
).order_by(_delivery.c.allowed_at, _delivery.c.position)
_POSITION: Final = select(_delivery.c.position).where(_delivery.c.id == bindparam("this"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """A delivery that has ended."""

    id: str
    position: int
    ending: str
    """The ending of its events, see ``ending_of``."""


def expirable(
    connection: Connection, receiver: str, before: datetime, *, uncertain: bool, untried: bool
) -> list[WaitingDelivery]:
    """Return some deliveries of a receiver that wait and were allowed to go before this time, the oldest first.

    An uncertain one may have arrived: it is looked up or sent again before it expires, unless the receiver fails
    permanently and nothing is tried. An untried one has waited for us, unless the receiver is failing.
    """
    query = _EXPIRABLE if untried else _EXPIRABLE.where(_delivery.c.attempted_at.is_not(None))
    states = WAITING_STATES if uncertain else (State.PENDING.value,)
    return _read(connection, query, {"receiver": receiver, "before": to_text(before), "states": states})


def orphaned(connection: Connection, configured: Collection[str], before: datetime) -> list[WaitingDelivery]:
    """Return some open deliveries to other receivers than these, allowed to go before this time."""
    states = sorted(state.value for state in OPEN_STATES)
    elsewhere = and_(_delivery.c.state.in_(states), _delivery.c.receiver.not_in(sorted(configured)))
    old = _WAITING.where(elsewhere, _delivery.c.allowed_at < to_text(before))
    return _read(connection, old.order_by(_delivery.c.position), {})


def _read(connection: Connection, query: Select[str, str, str], values: Row) -> list[WaitingDelivery]:
    rows = connection.execute(query.limit(ENDED_MAX), values)
    return [WaitingDelivery(id=row.id, state=State(row.state), reason=read_reason(row.reason)) for row in rows]


def end_all(connection: Connection, endings: Iterable[DeliveryEnd], now: datetime) -> list[str]:
    """End deliveries that are still in the state that was read; return their ids."""
    return [ending.id for ending in endings if end(connection, ending, now)]


def end(connection: Connection, ending: DeliveryEnd, now: datetime) -> bool:
    """End a delivery with its ledger entries and its lines; ``False`` when its state has changed meanwhile."""
    verdict = ending.verdict
    values = {
        "state": verdict.state.value,
        "reason": write_reason(verdict.reason),
        "next_at": next_at_after(verdict, now),
        "group_key": None,
        "settled_at": to_text(now),
    }
    unchanged = and_(_delivery.c.id == ending.id, _delivery.c.state == ending.state.value)
    if connection.execute(update(_delivery).where(unchanged).values(values)).rowcount != 1:
        return False
    position = connection.execute(_POSITION, {"this": ending.id}).scalar_one()
    # Nobody ends a delivery as delivered in this way, so the number of its events does not matter.
    close(connection, [Ended(id=ending.id, position=position, ending=ending_of(verdict.state, 1))], now)
    forget_failures(connection, ending.id)
    return True


def next_at_after(verdict: Verdict, now: datetime) -> str | None:
    """Return the next time of a delivery; a dead one has a time until its end is announced."""
    return to_text(now) if verdict.state is State.DEAD else write_time(verdict.next_at)


def close(connection: Connection, ended: Sequence[Ended], now: datetime) -> None:
    """Close the ledger entries of deliveries that ended, and release their lines."""
    for part in chunks(ended):
        by_ending: dict[str, list[str]] = {}
        for one in part:
            by_ending.setdefault(one.ending, []).append(one.id)
        for ending, ids in by_ending.items():
            connection.execute(_CLOSE, {"ids": ids, "ending": ending, "ended_at": to_text(now)})
        lines.release(connection, [one.position for one in part])


def ending_of(state: State, events: int) -> str:
    """Return the ending of the events of a delivery, by its last state and the number of its events."""
    return DELIVERED_IN_BATCH if state is State.DELIVERED and events > 1 else state.value
