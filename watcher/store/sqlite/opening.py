"""The first transactions of an opened store: migrate it, and begin a new epoch where it is an older state."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from watcher.core.event import Restore
from watcher.store.epoch import first_epoch, latest_restore, new_epoch
from watcher.store.migrations import migrate
from watcher.store.sql.write_faults import WriteFault, fault_of
from watcher.store.sqlite.backup_folder import BackupFolder
from watcher.store.sqlite.disk_reserve import Reserve
from watcher.store.sqlite.integrity import Condition
from watcher.store.sqlite.recovery import Found, Recovery


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """The findings and actions of opening the store."""

    epoch: str
    created: bool
    """Whether this opening made the file."""
    restore: Restore | None
    """The latest restore of the store from a backup, now or earlier."""
    recovery: Recovery | None = None
    """Set when this opening found an older state of the store."""
    migrated_from: str | None = None
    """The schema before a migration."""
    backup: Path | None = None
    """The backup that was made before the migration."""
    checked: bool = True
    """Whether all of the file was read; a large one is checked while the daemon runs."""


def prepare(path: Path, engine: Engine, found: Found, now: datetime) -> Opening:
    """Migrate the store, and begin a new epoch where it is an older state of itself.

    Where the disk is full, it removes the reserve file and tries again.

    Raises:
        BackupError: the backup before the migration cannot be made.
        SQLAlchemyError: the store cannot be read or written.
    """
    try:
        return _migrated(path, engine, found, now)
    except DBAPIError as error:
        if fault_of(error) is not WriteFault.FULL or not Reserve(path).release():
            raise
        return _migrated(path, engine, found, now)


def _migrated(path: Path, engine: Engine, found: Found, now: datetime) -> Opening:
    old = backup = None
    if found.condition is not Condition.NEW:
        with engine.begin() as connection:
            old = migrate.revision_of(connection)
        backup = BackupFolder(path).add(now) if old is not None else None
    with engine.begin() as connection:
        migrate.upgrade(connection)
        epoch = first_epoch(connection, now)
        if found.recovery is not None and found.condition is not Condition.NEW:
            epoch = new_epoch(connection, found.recovery.reason, now)
        return Opening(
            epoch=epoch,
            created=found.condition is Condition.NEW,
            restore=latest_restore(connection),
            recovery=found.recovery,
            migrated_from=old,
            backup=backup,
            checked=found.checked,
        )
