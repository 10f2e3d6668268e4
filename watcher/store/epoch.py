"""Which life of the store this is: the epoch is part of every event's id, and a restored store begins a new one."""

from __future__ import annotations

import secrets
from dataclasses import replace
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, delete, insert, select, update
from sqlalchemy.dialects.sqlite import insert as upsert

from watcher.core.delivery.model import OPEN_STATES, State
from watcher.core.event import Event, delivery_id, in_new_epoch
from watcher.core.timestamps import to_text
from watcher.store import schema
from watcher.store.rows import event_row, read_event, read_time
from watcher.store.sqlite.integrity import BACKUP_MARK

EPOCH_BYTES: Final = 8

_meta = schema.meta.c


def read_fact(connection: Connection, key: str) -> str | None:
    """Return one of the store's facts about itself."""
    return connection.scalar(select(_meta.value).where(_meta.key == key))


def write_fact(connection: Connection, key: str, value: str | None) -> None:
    """Keep a fact; ``None`` takes it away."""
    if value is None:
        connection.execute(delete(schema.meta).where(_meta.key == key))
        return
    row = upsert(schema.meta).values(key=key, value=value)
    connection.execute(row.on_conflict_do_update(index_elements=[_meta.key], set_={"value": value}))


def restored_at(connection: Connection) -> datetime | None:
    """Return until when the store was another, newer one."""
    return read_time(read_fact(connection, "restored_at"))


def first_epoch(connection: Connection, now: datetime) -> str:
    """Return the store's epoch; begin the first one in a new store."""
    found = read_fact(connection, "epoch")
    if found is not None:
        return found
    epoch = secrets.token_hex(EPOCH_BYTES)
    rows = [{"key": "epoch", "value": epoch}, {"key": "created_at", "value": to_text(now)}]
    connection.execute(insert(schema.meta), rows)
    return epoch


def new_epoch(connection: Connection, reason: str, now: datetime) -> str:
    """Begin anew from an older copy of the store, so that nothing is told under an id that meant something else.

    A message that was sealed keeps its id and its bytes: its receiver may have it, and knows it by them. What was not
    sealed yet may have gone out since in another shape, so it goes under a new id and is marked.
    """
    epoch = secrets.token_hex(EPOCH_BYTES)
    write_fact(connection, "epoch", epoch)
    write_fact(connection, "restored_at", to_text(now))
    write_fact(connection, "restored_because", reason)
    write_fact(connection, "restored_from", read_fact(connection, BACKUP_MARK))
    write_fact(connection, BACKUP_MARK, None)
    _rename_unrouted(connection, epoch)
    _rename_open_groups(connection, epoch)
    _doubt_open_deliveries(connection)
    return epoch


def _rename_unrouted(connection: Connection, epoch: str) -> None:
    table = schema.event.c
    for body in connection.scalars(select(table.body).where(table.routed_at.is_(None))).all():
        event = read_event(body)
        _rewrite(connection, event.id, in_new_epoch(event, epoch))


def _rename_open_groups(connection: Connection, epoch: str) -> None:
    table, ledger = schema.delivery, schema.ledger
    for identity in connection.scalars(select(table.c.id).where(~table.c.sealed)).all():
        for event in _events_of(connection, identity):
            # Its own id stays: another receiver may have it already.
            _rewrite(connection, event.id, replace(event, restored=True))
        renamed = delivery_id((identity,), epoch)
        connection.execute(update(table).where(table.c.id == identity).values(id=renamed))
        connection.execute(update(ledger).where(ledger.c.delivery_id == identity).values(delivery_id=renamed))


def _events_of(connection: Connection, delivery: str) -> list[Event]:
    entries = select(schema.ledger.c.event_id).where(schema.ledger.c.delivery_id == delivery)
    bodies = connection.scalars(select(schema.event.c.body).where(schema.event.c.id.in_(entries)))
    return [read_event(body) for body in bodies]


def _rewrite(connection: Connection, identity: str, event: Event) -> None:
    row = event_row(event)
    values = {"id": row["id"], "body": row["body"]}
    connection.execute(update(schema.event).where(schema.event.c.id == identity).values(values))


def _doubt_open_deliveries(connection: Connection) -> None:
    table = schema.delivery.c
    still_open = table.state.in_(sorted(state.value for state in OPEN_STATES)) & table.sealed
    # As after a crash: whoever can look a message up does so before it is sent again.
    values = {"state": State.UNCERTAIN.value, "may_be_repeat": True, "token": None, "lease_until": None}
    connection.execute(update(schema.delivery).where(still_open).values(values))
