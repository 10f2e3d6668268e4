"""What looking remembers: snapshots, looks, and the events that a look made, in one transaction."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from sqlalchemy import Column, Connection, RowMapping, Table, bindparam, insert, select, update
from sqlalchemy.dialects.sqlite import Insert
from sqlalchemy.dialects.sqlite import insert as upsert
from sqlalchemy.exc import DBAPIError

from watcher.core.batch import Batch, NotSavedError, SavedState
from watcher.core.training.model import Snapshot
from watcher.store import outbox, schema
from watcher.store.errors import StaleSnapshot
from watcher.store.rows import (
    Row,
    deviation_row,
    event_row,
    incident_columns,
    poll_row,
    read_incident_row,
    read_poll,
    read_snapshot,
    snapshot_row,
)
from watcher.store.sqlite.database import Database
from watcher.store.sqlite.write_faults import fault_of


class PollStore:
    """The store as the looking stage sees it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @property
    def epoch(self) -> str:
        """The store's epoch, part of every event's id."""
        return self._database.epoch

    @property
    def restored_at(self) -> datetime | None:
        """Until when the store was another, newer one; ``None`` where it never was restored."""
        return self._database.restored_at

    async def load(self) -> SavedState:
        """Return everything that is remembered."""
        return await self._database.write(_load)

    async def record(self, batch: Batch) -> list[Snapshot]:
        """Keep all of it or nothing; return the snapshots with their new revision.

        Raises:
            NotKeptError: the store cannot be written for a while.
            StaleSnapshot: a snapshot's row is not at the revision that it was read at.
        """
        try:
            await self._database.write(lambda connection: _record(connection, batch))
        except DBAPIError as error:
            if (fault := fault_of(error)) is not None:
                raise NotSavedError(fault.value) from error
            raise
        return [replace(snapshot, revision=snapshot.revision + 1) for snapshot in batch.snapshots]


def _load(connection: Connection) -> SavedState:
    def rows(table: Table) -> Iterable[RowMapping]:
        return connection.execute(select(table)).mappings()

    return SavedState(
        snapshots=tuple(read_snapshot(row) for row in rows(schema.training)),
        polls=tuple(read_poll(row) for row in rows(schema.poll)),
        incident_rows=tuple(read_incident_row(row) for row in rows(schema.incident)),
        deviations=frozenset(row["description"] for row in rows(schema.deviation)),
    )


def _record(connection: Connection, batch: Batch) -> None:
    _insert_snapshots(connection, [snapshot_row(item) for item in batch.snapshots if item.revision == 0])
    _update_snapshots(connection, [snapshot for snapshot in batch.snapshots if snapshot.revision > 0])
    if batch.events:
        connection.execute(insert(schema.event), [event_row(event) for event in batch.events])
    if batch.polls:
        connection.execute(_UPSERT_POLL, [poll_row(poll) for poll in batch.polls])
    if batch.incident_rows:
        connection.execute(_UPSERT_INCIDENT, [incident_columns(incident_row) for incident_row in batch.incident_rows])
    if batch.deviations:
        connection.execute(_INSERT_DEVIATION, [deviation_row(deviation) for deviation in batch.deviations])
    if (prerouted := batch.prerouted) is not None:
        decisions = [(event, prerouted.decision) for event in batch.events if event.id == prerouted.event_id]
        outbox.enqueue(connection, decisions, prerouted.seal, prerouted.at)


def _insert_snapshots(connection: Connection, rows: list[Row]) -> None:
    if rows:
        connection.execute(insert(schema.training), rows)


def _update_snapshots(connection: Connection, snapshots: Iterable[Snapshot]) -> None:
    for snapshot in snapshots:
        row = {f"new_{key}": value for key, value in snapshot_row(snapshot).items()}
        changed = connection.execute(_UPDATE_SNAPSHOT, {**row, "known_revision": snapshot.revision})
        if changed.rowcount != 1:
            raise StaleSnapshot(
                f"{snapshot.ref.subject} is not at revision {snapshot.revision}; another process wrote it"
            )


_UPDATE_SNAPSHOT = (
    update(schema.training)
    .where(schema.training.c.subject == bindparam("new_subject"))
    .where(schema.training.c.revision == bindparam("known_revision"))
    .values({column.name: bindparam(f"new_{column.name}") for column in schema.training.c if column.name != "subject"})
)


def _upsert(table: Table, key: Column[str]) -> Insert:
    row = upsert(table)
    others = {column.name: row.excluded[column.name] for column in table.c if column.name != key.name}
    return row.on_conflict_do_update(index_elements=[key], set_=others)


_UPSERT_POLL = _upsert(schema.poll, schema.poll.c.key)
_INSERT_DEVIATION = upsert(schema.deviation).on_conflict_do_nothing()
_UPSERT_INCIDENT = _upsert(schema.incident, schema.incident.c.subject)
