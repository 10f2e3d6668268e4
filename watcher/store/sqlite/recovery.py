"""A damaged store at start: kept aside, and the newest sound automatic backup put in its place, never in silence."""

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
from watcher.store.sqlite.integrity import SIDE_FILES, Condition, examine, has_foreign_log, side_file

ASIDE: Final = "set-aside"
DAMAGED: Final = "damaged"
_STAMP: Final = "%Y%m%dT%H%M%SZ"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovery:
    """Why the store is an older one than it was, and what was done about it."""

    reason: str
    problem: str
    backup: str | None = None
    """The backup that took its place."""
    backup_made_at: str | None = None
    set_aside: str | None = None
    """Where what was there before is kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What is at the store's place now."""

    condition: Condition
    recovery: Recovery | None = None


def find(path: Path, left_behind: Mapping[str, object], now: datetime) -> Found:
    """Look at the store's file before it is opened; restore it where it is damaged.

    Raises:
        StoreDamaged: it is damaged, and there is no sound automatic backup.
        StoreUnusable: it is another program's, or cannot be read or replaced.
    """
    backup_folder = BackupFolder(path)
    try:
        if has_foreign_log(path):
            log = put_aside(path, now, ("-wal", "-shm"))
            problem = f"the write-ahead log beside {path.name} belonged to the file that was there before"
            recovery = Recovery(reason="foreign-log", problem=problem, set_aside=log)
            return Found(condition=examine(path, {}, had_backups=bool(backup_folder.backups())), recovery=recovery)
        condition = examine(path, left_behind, had_backups=bool(backup_folder.backups()))
    except StoreDamaged as error:
        return Found(condition=Condition.BACKUP, recovery=_restored(path, backup_folder, error, now))
    except OSError as error:
        raise StoreUnusable(f"cannot read {path}: {error.strerror}; check its permissions") from error
    return Found(condition=condition, recovery=_older(path, condition))


def _older(path: Path, condition: Condition) -> Recovery | None:
    if condition is Condition.LOG_MISSING:
        problem = f"{path.name}-wal is gone: what was written last is lost"
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
    """Put a backup in the place of the store; return where what was there is kept.

    Dying in between leaves no store, and its backups: the next start goes on from those.
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
    """Give the files another name, which says when; return that of the first there was."""
    base = path.with_name(f"{path.name}.{ASIDE}-{now.astimezone(UTC):{_STAMP}}")
    moved = []
    # The log first: without its file it can do no harm, beside another one it would.
    for suffix in sorted(suffixes, reverse=True):
        with suppress(FileNotFoundError):
            moved.append(str(side_file(path, suffix).rename(side_file(base, suffix))))
    sync(path.parent)
    return min(moved, default=None)


def kept_aside(path: Path) -> list[Path]:
    """Return the damaged files that wait for somebody to look at them."""
    return sorted(path.parent.glob(f"{path.name}.{ASIDE}-*Z"))
