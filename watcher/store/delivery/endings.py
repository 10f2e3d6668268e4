"""End deliveries that nobody sends: expired ones, those of removed receivers, and dropped ones."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Final

from sqlalchemy import ColumnElement, Connection, and_, delete, func, select, update

from watcher.core.delivery.model import DELIVERED_IN_BATCH, OPEN_STATES, State, Verdict
from watcher.core.delivery.reason import read_reason, write_reason
from watcher.core.delivery.waiting import DeliveryEnd, WaitingDelivery
from watcher.core.timestamps import to_text
from watcher.store import schema
from watcher.store.delivery.receivers import WAITING_STATES, forget_failures
from watcher.store.rows import write_time

ENDED_MAX: Final = 200
"""Deliveries that end in one transaction, so that those of one receiver delay no other."""

_delivery = schema.delivery


def expirable(
    connection: Connection, receiver: str, before: datetime, *, uncertain: bool, untried: bool
) -> list[WaitingDelivery]:
    """Return some deliveries of a receiver that wait and were allowed to go before this time.

    An uncertain one may have arrived: it is looked up or sent again before it expires, unless the receiver fails
    permanently and nothing is tried. An untried one has waited for us, unless the receiver is failing.
    """
    states = WAITING_STATES if uncertain else (State.PENDING.value,)
    old = and_(_delivery.c.receiver == receiver, _delivery.c.allowed_at <= to_text(before))
    if not untried:
        old = and_(old, _delivery.c.attempted_at.is_not(None))
    return _read(connection, and_(old, _delivery.c.state.in_(states)))


def orphaned(connection: Connection, configured: Collection[str], before: datetime) -> list[WaitingDelivery]:
    """Return some open deliveries to other receivers than these, allowed to go before this time."""
    states = sorted(state.value for state in OPEN_STATES)
    elsewhere = and_(_delivery.c.state.in_(states), _delivery.c.receiver.not_in(sorted(configured)))
    return _read(connection, and_(elsewhere, _delivery.c.allowed_at < to_text(before)))


def _read(connection: Connection, which: ColumnElement[bool]) -> list[WaitingDelivery]:
    query = select(_delivery.c.id, _delivery.c.state, _delivery.c.reason).where(which)
    rows = connection.execute(query.order_by(_delivery.c.position).limit(ENDED_MAX))
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
    close(connection, ending.id, verdict, now)
    forget_failures(connection, ending.id)
    return True


def next_at_after(verdict: Verdict, now: datetime) -> str | None:
    """Return the next time of a delivery; a dead one has a time until its end is announced."""
    return to_text(now) if verdict.state is State.DEAD else write_time(verdict.next_at)


def close(connection: Connection, identity: str, verdict: Verdict, now: datetime) -> None:
    """Close the ledger entries of a delivery and release its lines."""
    this = schema.ledger.c.delivery_id == identity
    count = connection.execute(select(func.count()).where(this)).scalar_one()
    in_batch = verdict.state is State.DELIVERED and count > 1
    ending = DELIVERED_IN_BATCH if in_batch else verdict.state.value
    connection.execute(update(schema.ledger).where(this).values(ending=ending, ended_at=to_text(now)))
    position = select(_delivery.c.position).where(_delivery.c.id == identity).scalar_subquery()
    connection.execute(delete(schema.line).where(schema.line.c.position == position))
