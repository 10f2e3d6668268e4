"""What looking remembers: snapshots, looks, and the events that a look made, in one transaction."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from sqlalchemy import Connection, bindparam, insert, select, update
from sqlalchemy.dialects.sqlite import insert as upsert

from watcher.core.event import Event
from watcher.core.look import LookState
from watcher.core.training import Snapshot
from watcher.store import schema
from watcher.store.database import Database
from watcher.store.errors import StaleSnapshot
from watcher.store.rows import Row, event_row, look_row, read_look, read_snapshot, snapshot_row


class Polls:
    """The store as the looking stage sees it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @property
    def epoch(self) -> str:
        """The store's epoch, part of every event's id."""
        return self._database.epoch

    async def load(self) -> tuple[list[Snapshot], list[LookState]]:
        """Return everything that is remembered."""
        return await self._database.write(_load)

    async def record(
        self, snapshots: Sequence[Snapshot], events: Sequence[Event], looks: Sequence[LookState]
    ) -> list[Snapshot]:
        """Keep all of it or nothing; return the snapshots with their new revision.

        Raises:
            StaleSnapshot: a snapshot's row is not at the revision that it was read at.
        """
        await self._database.write(lambda connection: _record(connection, snapshots, events, looks))
        return [replace(snapshot, revision=snapshot.revision + 1) for snapshot in snapshots]


def _load(connection: Connection) -> tuple[list[Snapshot], list[LookState]]:
    trainings = connection.execute(select(schema.training)).mappings()
    looks = connection.execute(select(schema.look)).mappings()
    return [read_snapshot(row) for row in trainings], [read_look(row) for row in looks]


def _record(
    connection: Connection, snapshots: Sequence[Snapshot], events: Sequence[Event], looks: Sequence[LookState]
) -> None:
    _insert_snapshots(connection, [snapshot_row(item) for item in snapshots if item.revision == 0])
    _update_snapshots(connection, [snapshot for snapshot in snapshots if snapshot.revision > 0])
    if events:
        connection.execute(insert(schema.event), [event_row(event) for event in events])
    if looks:
        connection.execute(_UPSERT_LOOK, [look_row(look) for look in looks])


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

_INSERT_LOOK = upsert(schema.look)
_UPSERT_LOOK = _INSERT_LOOK.on_conflict_do_update(
    index_elements=[schema.look.c.key],
    set_={column.name: _INSERT_LOOK.excluded[column.name] for column in schema.look.c if column.name != "key"},
)
