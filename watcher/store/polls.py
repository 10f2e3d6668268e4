"""The state of polling: snapshots, polls, incidents, and the events of a poll in the same transaction."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection, RowMapping, Table, bindparam, delete, insert, select, update
from sqlalchemy.exc import DBAPIError

from watcher.core.batch import Batch, NotSavedError, SavedState
from watcher.core.event import Restore
from watcher.core.subject import NO_ACCOUNT
from watcher.core.training.earlier_runs import EarlierRuns, RunGroup, RunsWanted
from watcher.core.training.model import Snapshot
from watcher.core.training.run import EndedRun
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
from watcher.store.runs.history import read_earlier
from watcher.store.runs.retrainings import read_retraining, retraining_row
from watcher.store.runs.rows import run_row, stage_rows
from watcher.store.sql.bulk import execute_many
from watcher.store.sql.upsert import insert_or_ignore, insert_or_update
from watcher.store.sql.write_faults import SHORT_FAULTS, fault_of
from watcher.store.writer import StoreWriter


class PollStore:
    """The store as the polling stage uses it."""

    def __init__(self, database: StoreWriter) -> None:
        self._database = database

    @property
    def epoch(self) -> str:
        """The store's epoch, part of every event's id."""
        return self._database.epoch

    @property
    def restore(self) -> Restore | None:
        """The latest restore of the store from a backup, if there was one."""
        return self._database.restore

    async def load(self, accounts: Collection[str] | None = None) -> SavedState:
        """Return the saved state of these accounts, and of the subjects outside every account.

        Without ``accounts``, the state of every account. Deviations belong to no account.
        """
        return await self._database.write(lambda connection: _load(connection, accounts))

    async def record(self, batch: Batch) -> list[Snapshot]:
        """Write all of it or nothing; return the snapshots with their new revision.

        Raises:
            NotSavedError: the store cannot be written for a while.
            StaleSnapshot: a snapshot's row is not at the revision that it was read at.
            OutdatedDecisionError: the routes of the batch depend on facts that have changed.
        """
        try:
            await self._database.write(lambda connection: _record(connection, batch))
        except DBAPIError as error:
            if (fault := fault_of(error)) is not None:
                raise NotSavedError(fault.value) from error
            raise
        return [replace(snapshot, revision=snapshot.revision + 1) for snapshot in batch.snapshots]

    async def earlier_runs(
        self, wanted: Mapping[RunGroup, RunsWanted], now: datetime
    ) -> Mapping[RunGroup, EarlierRuns]:
        """Return the earlier runs of groups, as far as they are wanted.

        Raises:
            NotSavedError: the store is locked or away for a while.
        """

        def read(connection: Connection) -> dict[RunGroup, EarlierRuns]:
            return {group: read_earlier(connection, group, runs, now) for group, runs in wanted.items()}

        try:
            return await self._database.write(read)
        except DBAPIError as error:
            # A bad disk may leave the runs unreadable for ever, and must not end the polling.
            if (fault := fault_of(error)) in SHORT_FAULTS:
                raise NotSavedError(fault.value) from error
            raise


def _load(connection: Connection, accounts: Collection[str] | None) -> SavedState:
    def rows(table: Table) -> Iterable[RowMapping]:
        query = select(table)
        if accounts is not None:
            query = query.where(table.c.account.in_([NO_ACCOUNT, *accounts]))
        return connection.execute(query).mappings()

    return SavedState(
        snapshots=tuple(read_snapshot(row) for row in rows(schema.training)),
        polls=tuple(read_poll(row) for row in rows(schema.poll)),
        incident_rows=tuple(read_incident_row(row) for row in rows(schema.incident)),
        retrainings=tuple(read_retraining(row) for row in rows(schema.retraining)),
        deviations=frozenset(connection.scalars(select(schema.deviation.c.description))),
    )


def _record(connection: Connection, batch: Batch) -> None:
    _insert_snapshots(connection, [snapshot_row(item) for item in batch.snapshots if item.revision == 0])
    _update_snapshots(connection, [snapshot for snapshot in batch.snapshots if snapshot.revision > 0])
    if batch.events:
        execute_many(connection, _INSERT_EVENT, [event_row(event) for event in batch.events])
    if batch.runs:
        _insert_runs(connection, batch.runs)
    if batch.polls:
        execute_many(connection, _UPSERT_POLL, [poll_row(poll) for poll in batch.polls])
    if batch.forgotten_polls:
        # One by one: a list may show thousands of trainings again, and both databases limit the parameters.
        execute_many(connection, _DELETE_POLL, [{"forgotten": key} for key in batch.forgotten_polls])
    if batch.incident_rows:
        connection.execute(_UPSERT_INCIDENT, [incident_columns(incident_row) for incident_row in batch.incident_rows])
    if batch.retrainings:
        connection.execute(_UPSERT_RETRAINING, [retraining_row(state) for state in batch.retrainings])
    if batch.deviations:
        connection.execute(_INSERT_DEVIATION, [deviation_row(deviation) for deviation in batch.deviations])
    if batch.prerouted is not None:
        outbox.enqueue(connection, batch.prerouted)


def _insert_snapshots(connection: Connection, rows: list[Row]) -> None:
    if rows:
        execute_many(connection, _INSERT_TRAINING, rows)


def _insert_runs(connection: Connection, runs: Sequence[EndedRun]) -> None:
    execute_many(connection, _INSERT_RUN, [run_row(run) for run in runs])
    if stages := [row for run in runs for row in stage_rows(run)]:
        execute_many(connection, _INSERT_STAGE, stages)


def _update_snapshots(connection: Connection, snapshots: Sequence[Snapshot]) -> None:
    if not snapshots:
        return
    changed = execute_many(connection, _UPDATE_SNAPSHOT, [_new_values(snapshot) for snapshot in snapshots])
    if changed != len(snapshots):
        stale = next((snapshot for snapshot in snapshots if not _is_written(connection, snapshot)), snapshots[0])
        raise StaleSnapshot(f"{stale.ref.subject} is not at revision {stale.revision}; another process wrote it")


def _new_values(snapshot: Snapshot) -> Row:
    row = {f"new_{key}": value for key, value in snapshot_row(snapshot).items()}
    return {**row, "known_revision": snapshot.revision}


def _is_written(connection: Connection, snapshot: Snapshot) -> bool:
    # The revision alone cannot tell: another process may have written it once, too.
    row = connection.execute(_TRAINING, {"subject": snapshot.ref.subject}).mappings().first()
    return row is not None and dict(row) == snapshot_row(snapshot)


_INSERT_TRAINING = insert(schema.training)
_INSERT_EVENT = insert(schema.event)
_INSERT_RUN = insert(schema.run)
_INSERT_STAGE = insert(schema.stage)
_UPDATE_SNAPSHOT = (
    update(schema.training)
    .where(schema.training.c.subject == bindparam("new_subject"))
    .where(schema.training.c.revision == bindparam("known_revision"))
    .values({column.name: bindparam(f"new_{column.name}") for column in schema.training.c if column.name != "subject"})
)


_TRAINING = select(schema.training).where(schema.training.c.subject == bindparam("subject"))
_DELETE_POLL = delete(schema.poll).where(schema.poll.c.key == bindparam("forgotten"))
_UPSERT_POLL = insert_or_update(schema.poll, schema.poll.c.key)
_UPSERT_INCIDENT = insert_or_update(schema.incident, schema.incident.c.subject)
_UPSERT_RETRAINING = insert_or_update(schema.retraining, schema.retraining.c.subject)
_INSERT_DEVIATION = insert_or_ignore(schema.deviation)
