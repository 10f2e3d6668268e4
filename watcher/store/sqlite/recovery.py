"""Recover a damaged store at the start: set it aside and restore the newest sound automatic backup."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from watcher.core.timestamps import to_text
from watcher.store.errors import BackupError, StoreDamaged, StoreUnusable
from watcher.store.sqlite.backup import install, sync
from watcher.store.sqlite.backup_folder import BackupFolder
from watcher.store.sqlite.file_names import ASIDE, INDEX, LOG, SIDE_FILES, side_file
from watcher.store.sqlite.integrity import Condition, examine, has_foreign_log, is_large

DAMAGED: Final = "damaged"
_STAMP: Final = "%Y%m%dT%H%M%SZ"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovery:
    """The reason why the store is an older state of itself, and the repair."""

    reason: str
    problem: str
    backup: str | None = None
    """The backup that replaced the store."""
    backup_made_at: str | None = None
    set_aside: str | None = None
    """The place of the replaced file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The condition of the store's file after a recovery."""

    condition: Condition
    recovery: Recovery | None = None
    checked: bool = True
    """Whether all of the file was read."""


def find(path: Path, left_behind: Mapping[str, object], now: datetime, *, may_postpone: bool = False) -> Found:
    """Check the store's file before it is opened; restore it where it is damaged.

    Args:
        path: the store's file.
        left_behind: the note of a process that did not end in order.
        now: the time.
        may_postpone: whether the caller checks a large file later. After a process that did not end in order, all of
            the file is read in any case.

    Raises:
        StoreDamaged: it is damaged, and there is no sound automatic backup.
        StoreUnusable: it is another program's, or cannot be read or replaced.
    """
    backup_folder = BackupFolder(path)
    all_pages = not (may_postpone and not left_behind and is_large(path))
    try:
        if has_foreign_log(path):
            log = put_aside(path, now, (LOG, INDEX))
            problem = f"the write-ahead log beside {path.name} belonged to the file that was there before"
            recovery = Recovery(reason="foreign-log", problem=problem, set_aside=log)
            return Found(condition=examine(path, {}, had_backups=bool(backup_folder.backups())), recovery=recovery)
        backed_up = bool(backup_folder.backups())
        condition = examine(path, left_behind, had_backups=backed_up, all_pages=all_pages)
    except StoreDamaged as error:
        return Found(condition=Condition.BACKUP, recovery=_restored(path, backup_folder, error, now))
    except OSError as error:
        raise StoreUnusable(f"cannot read {path}: {error.strerror}; check its permissions") from error
    return Found(condition=condition, recovery=_older(path, condition), checked=all_pages)


def _older(path: Path, condition: Condition) -> Recovery | None:
    if condition is Condition.LOG_MISSING:
        problem = f"{path.name}-wal is missing: the last writes are lost"
        return Recovery(reason=condition.value, problem=problem)
    if condition is Condition.BACKUP:
        return Recovery(reason="backup-in-place", problem="a backup was put in the place of the store")
    return None


def _restored(path: Path, backup_folder: BackupFolder, error: StoreDamaged, now: datetime) -> Recovery:
    newest = backup_folder.newest_sound()
    if newest is None:
        raise StoreDamaged(f"{error}; there is no sound automatic backup in {backup_folder.folder}") from error
    made_at, backup = newest
    return Recovery(
        reason=DAMAGED,
        problem=str(error).partition(";")[0],
        backup=str(backup),
        backup_made_at=to_text(made_at),
        set_aside=replace_store(path, backup, now),
    )


def replace_store(path: Path, backup: Path, now: datetime) -> str | None:
    """Replace the store by a backup; return the new place of the old file.

    A crash in between leaves no store but its backups, and the next start restores one of them.
    """
    try:
        aside = put_aside(path, now, ("", *SIDE_FILES))
        install(backup, path)
    except OSError as error:
        raise StoreUnusable(f"cannot put {backup} in the place of {path}: {error.strerror}") from error
    except BackupError as error:
        raise StoreUnusable(str(error)) from error
    return aside


def put_aside(path: Path, now: datetime, suffixes: tuple[str, ...]) -> str | None:
    """Rename the files with the time in their name; return the new name of the first one."""
    base = path.with_name(f"{path.name}.{ASIDE}-{now.astimezone(UTC):{_STAMP}}")
    moved = []
    # The log first: alone it is harmless, but beside another file SQLite would read it.
    for suffix in sorted(suffixes, reverse=True):
        with suppress(FileNotFoundError):
            moved.append(str(side_file(path, suffix).rename(side_file(base, suffix))))
    sync(path.parent)
    return min(moved, default=None)
