"""The epoch of a store: it is part of every event's id, and a restored store begins a new one."""

from __future__ import annotations

import secrets
from dataclasses import replace
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, delete, insert, select, update

from watcher.core.delivery.state import OPEN_STATES, State
from watcher.core.event import Event, Restore, delivery_id, in_new_epoch
from watcher.core.timestamps import to_text
from watcher.store import meta_keys, schema
from watcher.store.rows import event_row, read_event, read_time
from watcher.store.sql.upsert import insert_or_update

EPOCH_BYTES: Final = 8

_meta = schema.meta.c


def read_fact(connection: Connection, key: str) -> str | None:
    """Return one of the store's facts about itself."""
    return connection.scalar(select(_meta.value).where(_meta.key == key))


def write_fact(connection: Connection, key: str, value: str | None) -> None:
    """Write one of the store's facts; ``None`` removes it."""
    if value is None:
        connection.execute(delete(schema.meta).where(_meta.key == key))
        return
    connection.execute(insert_or_update(schema.meta, _meta.key).values(key=key, value=value))


def latest_restore(connection: Connection) -> Restore | None:
    """Return the latest restore of the store from a backup, if there was one."""
    at = read_time(read_fact(connection, meta_keys.RESTORED_AT))
    if at is None:
        return None
    return Restore(at=at, backup_made_at=read_time(read_fact(connection, meta_keys.RESTORED_FROM)))


def first_epoch(connection: Connection, now: datetime) -> str:
    """Return the store's epoch; a new store begins its first one."""
    found = read_fact(connection, meta_keys.EPOCH)
    if found is not None:
        return found
    epoch = secrets.token_hex(EPOCH_BYTES)
    rows = [{"key": meta_keys.EPOCH, "value": epoch}, {"key": meta_keys.CREATED_AT, "value": to_text(now)}]
    connection.execute(insert(schema.meta), rows)
    return epoch


def new_epoch(connection: Connection, reason: str, now: datetime) -> str:
    """Begin a new epoch after a restore, so that no id that a receiver may know gets another meaning.

    A sealed message keeps its id and its bytes: its receiver may have it, and recognises it by them. A message that is
    not sealed may have been sent since with other events. It gets a new id and a mark.
    """
    epoch = secrets.token_hex(EPOCH_BYTES)
    write_fact(connection, meta_keys.EPOCH, epoch)
    write_fact(connection, meta_keys.RESTORED_AT, to_text(now))
    write_fact(connection, meta_keys.RESTORED_BECAUSE, reason)
    made_at = read_fact(connection, meta_keys.BACKUP_MADE_AT)
    write_fact(connection, meta_keys.RESTORED_FROM, made_at)
    write_fact(connection, meta_keys.BACKUP_MADE_AT, None)
    _rename_unrouted(connection, epoch, read_time(made_at))
    _rename_open_groups(connection, epoch, read_time(made_at))
    _make_uncertain(connection)
    return epoch


def _rename_unrouted(connection: Connection, epoch: str, backup_made_at: datetime | None) -> None:
    table = schema.event.c
    for body in connection.scalars(select(table.body).where(table.routed_at.is_(None))).all():
        event = read_event(body)
        _rewrite(connection, event.id, in_new_epoch(event, epoch, backup_made_at))


def _rename_open_groups(connection: Connection, epoch: str, backup_made_at: datetime | None) -> None:
    table, ledger, action = schema.delivery, schema.ledger, schema.operator_action
    for identity in connection.scalars(select(table.c.id).where(~table.c.sealed)).all():
        for event in _events_of(connection, identity):
            # The event keeps its id: another receiver may have it already.
            _rewrite(connection, event.id, replace(event, restored=True, restored_from=backup_made_at))
        renamed = delivery_id((identity,), epoch)
        connection.execute(update(table).where(table.c.id == identity).values(id=renamed))
        connection.execute(update(ledger).where(ledger.c.delivery_id == identity).values(delivery_id=renamed))
        connection.execute(update(action).where(action.c.target == identity).values(target=renamed))


def _events_of(connection: Connection, delivery: str) -> list[Event]:
    entries = select(schema.ledger.c.event_id).where(schema.ledger.c.delivery_id == delivery)
    bodies = connection.scalars(select(schema.event.c.body).where(schema.event.c.id.in_(entries)))
    return [read_event(body) for body in bodies]


def _rewrite(connection: Connection, identity: str, event: Event) -> None:
    row = event_row(event)
    values = {"id": row["id"], "body": row["body"]}
    connection.execute(update(schema.event).where(schema.event.c.id == identity).values(values))


def _make_uncertain(connection: Connection) -> None:
    table = schema.delivery.c
    still_open = table.state.in_(sorted(state.value for state in OPEN_STATES)) & table.sealed
    # As after a crash: a receiver with a lookup looks for the message before it is sent again.
    values = {"state": State.UNCERTAIN.value, "may_be_repeat": True, "token": None, "lease_until": None}
    connection.execute(update(schema.delivery).where(still_open).values(values))
