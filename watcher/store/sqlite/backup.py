"""Make a backup: a complete copy of the store in one file, made beside running writes and checked."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Final

from watcher.core.timestamps import from_text, to_text
from watcher.store import meta_keys
from watcher.store.errors import BackupError, StoreUnusable
from watcher.store.sqlite.integrity import BUSY_TIMEOUT_SECONDS, read_facts
from watcher.store.sqlite.owner import give_new_file
from watcher.store.sqlite.reading import reading_address, reading_remedy

PARTIAL: Final = ".partial"
PRIVATE: Final = 0o600


def write_backup(store: Path, target: Path, now: datetime, *, force: bool = False) -> None:
    """Copy the store to ``target``, which is complete or does not exist.

    Raises:
        BackupError: the target exists, or the copy cannot be made or is not sound.
    """
    try:
        _refuse_target(store, target, force=force)
    except OSError as error:
        raise _not_written(target, error) from error
    # The file that a link names is written, and the link stays.
    file = Path(os.path.realpath(target))
    with _partial(file) as partial:
        try:
            _copy(store, partial, now)
            read_facts(partial)
        except (sqlite3.Error, StoreUnusable) as error:
            raise BackupError(f"cannot back {store} up to {target}: {error}; {reading_remedy(store)}") from error
        _publish(partial, file)


def _refuse_target(store: Path, target: Path, *, force: bool) -> None:
    if target.is_dir():
        raise BackupError(f"{target} is a folder; name a file in it")
    if not target.exists():
        return
    if not target.is_file():
        raise BackupError(f"{target} is a device, a pipe or a socket; name a file")
    if target.samefile(store):
        raise BackupError(f"{target} is the store itself; name another file")
    if not force:
        raise BackupError(f"{target} exists; name another file, or overwrite it with --force")


@contextmanager
def _partial(target: Path) -> Iterator[Path]:
    """Yield an empty private file beside the target; the block moves it, or it is removed."""
    partial = target.with_name(f".{target.name}.{os.getpid()}{PARTIAL}")
    try:
        partial.unlink(missing_ok=True)
        os.close(os.open(partial, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, PRIVATE))
        give_new_file(partial, beside=target)
        yield partial
    except OSError as error:
        raise _not_written(target, error) from error
    finally:
        for suffix in ("", "-journal"):
            with suppress(OSError):
                partial.with_name(partial.name + suffix).unlink(missing_ok=True)


def _not_written(target: Path, error: OSError) -> BackupError:
    return BackupError(f"cannot write {target}: {error.strerror}; check the name, its folder and the space there")


def _copy(store: Path, partial: Path, now: datetime) -> None:
    address = reading_address(store)
    with (
        closing(sqlite3.connect(address, uri=True, timeout=BUSY_TIMEOUT_SECONDS)) as source,
        closing(sqlite3.connect(partial, isolation_level=None)) as copy,
    ):
        # All pages in one step: the copy is the store at one point in time, and no writer waits.
        source.backup(copy)
        copy.execute("PRAGMA journal_mode=DELETE")
        # Whoever opens it as a store recognises the older state.
        copy.execute("INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)", (meta_keys.BACKUP_MADE_AT, to_text(now)))


def _publish(partial: Path, target: Path) -> None:
    sync(partial)
    partial.replace(target)
    sync(target.parent)


def sync(path: Path) -> None:
    """Flush a file, or the names in a folder, to the disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def backup_time(path: Path) -> datetime:
    """Return the time of a backup, after reading all of it.

    Raises:
        BackupError: the file is damaged or no backup.
    """
    try:
        # The reading of a pipe would wait for somebody who writes to it.
        if path.exists() and not path.is_file():
            raise BackupError(
                f"{path} is a folder, a device, a pipe or a socket; name a backup, or none for the newest"
            )
        facts = read_facts(path) or {}
    except OSError as error:
        raise BackupError(f"cannot read {path}: {error.strerror}; name a backup, or none for the newest") from error
    except StoreUnusable as error:
        raise BackupError(f"{path} is no sound backup: {error}") from error
    if meta_keys.BACKUP_MADE_AT not in facts:
        raise BackupError(f"{path} is a store, but no backup of one; make backups with `aitems-watcher backup FILE`")
    return from_text(facts[meta_keys.BACKUP_MADE_AT])


def install(backup: Path, store: Path) -> None:
    """Copy a backup to the place of the store, which must be empty.

    Raises:
        BackupError: it cannot be copied.
    """
    with _partial(store) as partial:
        shutil.copyfile(backup, partial)
        _publish(partial, store)


def remove_partials(folder: Path) -> None:
    """Remove the partial files that interrupted backups left in a folder."""
    for path in folder.glob(f".*{PARTIAL}*"):
        with suppress(OSError):
            path.unlink()
