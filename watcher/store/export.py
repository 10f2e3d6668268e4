"""Read whole tables for ``export``, a page at a time: no read lasts as long as the export.

A long read would keep the write-ahead log from being emptied, and a reader of the export may be slow.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Select, func, literal, select, tuple_

from watcher.core.timestamps import to_text
from watcher.store import schema
from watcher.store.sql.chunks import chunks

PAGE: Final = 5000
"""Rows that are in memory at a time."""

Key = tuple[str | int, ...]
"""The place of a row in the order of its table."""


class Exported(StrEnum):
    """The tables that can be exported."""

    TRAININGS = "trainings"
    RUNS = "runs"
    EVENTS = "events"
    DELIVERIES = "deliveries"


@dataclass(frozen=True, slots=True)
class TablePage:
    """Some rows of a table."""

    rows: Sequence[Sequence[Any]]
    """In the order of the table's columns here, without those of its key."""
    last: Key | None
    """The place of the last row; ``None`` at the end."""


@dataclass(frozen=True, slots=True)
class _Source:
    columns: Sequence[ColumnElement[Any]]
    keys: Sequence[ColumnElement[Any]]
    time: ColumnElement[Any]


def _training() -> _Source:
    table = schema.training.c
    names = ("account", "service", "subject", "status", "changed_after", "changed_before", "first_seen_at", "gone")
    changed = func.coalesce(table.changed_before, table.first_seen_at)
    return _Source([*(table[name] for name in names), table.record], [table.subject], changed)


def _run() -> _Source:
    table = schema.run.c
    bounds = ("started_after", "started_before", "ended_after", "ended_before")
    names = ("account", "service", "type", "version", "hpo", "outcome", "status", *bounds)
    columns = [table[name] for name in (*names, "seconds", "uncertain_seconds", "restored")]
    return _Source(columns, [table.ended_before, table.subject, table.seq], table.ended_before)


def _event() -> _Source:
    table = schema.event.c
    return _Source([table.body], [table.position], table.recorded_at)


def _delivery() -> _Source:
    table = schema.delivery.c
    times = ("created_at", "attempted_at", "settled_at")
    names = ("id", "receiver", "state", "reason", "attempts", "urgent", "may_be_repeat", *times, "answer")
    return _Source([table[name] for name in names], [table.position], table.created_at)


_SOURCES: Final[Mapping[Exported, _Source]] = MappingProxyType(
    {
        Exported.TRAININGS: _training(),
        Exported.RUNS: _run(),
        Exported.EVENTS: _event(),
        Exported.DELIVERIES: _delivery(),
    }
)


def export_page(
    connection: Connection, table: Exported, since: datetime | None, after: Key | None, limit: int | None = None
) -> TablePage:
    """Return the rows that follow a place, in a fixed order; ``None`` is the beginning.

    Args:
        connection: The store, at one point in time.
        table: The table to read.
        since: The earliest time of a row, UTC; ``None`` for all.
        after: The ``last`` of the page before.
        limit: The number of rows; ``PAGE`` by default.
    """
    source = _SOURCES[table]
    if since is not None and after is None and table is Exported.EVENTS:
        after = _before_first_event(connection, since)
    limit = limit or PAGE
    rows = connection.execute(_query(source, since, after).limit(limit)).all()
    width = len(source.columns)
    last = tuple(rows[-1][width:]) if len(rows) == limit else None
    return TablePage([row[:width] for row in rows], last)


def events_of_deliveries(connection: Connection, deliveries: Sequence[str]) -> dict[str, list[str]]:
    """Return the ids of the events of each of these deliveries."""
    ledger = schema.ledger.c
    found: dict[str, list[str]] = {}
    for part in chunks(deliveries):
        query = select(ledger.delivery_id, ledger.event_id).where(ledger.delivery_id.in_(part))
        for row in connection.execute(query.order_by(ledger.delivery_id, ledger.event_id)):
            found.setdefault(row.delivery_id, []).append(row.event_id)
    return found


def _query(source: _Source, since: datetime | None, after: Key | None) -> Select[Any]:
    query = select(*source.columns, *(key.label(f"key{place}") for place, key in enumerate(source.keys)))
    if since is not None:
        query = query.where(source.time >= to_text(since))
    if after is not None:
        query = query.where(_follows(source.keys, after))
    return query.order_by(*source.keys)


def _follows(keys: Sequence[ColumnElement[Any]], after: Key) -> ColumnElement[bool]:
    if len(keys) == 1:
        return keys[0] > after[0]
    return tuple_(*keys) > tuple_(*(literal(value) for value in after))


def _before_first_event(connection: Connection, since: datetime) -> Key:
    event = schema.event.c
    first = connection.scalar(select(func.min(event.position + 0)).where(event.recorded_at >= to_text(since)))
    return ((first or 1) - 1,)
