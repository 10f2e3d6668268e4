"""R18: garbage, flipped bits, a missing or foreign log, other schemas: refused or restored, and always reported."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from unittest import mock

import pytest
from sqlalchemy.exc import OperationalError

from tests.integration.store.conftest import NOW, SECOND
from tests.integration.store.test_deliveries import GROUP, claim, enqueue, settle
from watcher.core.batch import Batch
from watcher.core.event import Event, after_restore, event_id
from watcher.core.training.model import Snapshot
from watcher.store.errors import BackupError, StoreDamaged, StoreTooNew, StoreUnusable
from watcher.store.migrations import migrate
from watcher.store.outbox import Outbox
from watcher.store.polls import PollStore
from watcher.store.sqlite.backup import write_backup
from watcher.store.sqlite.backup_folder import BackupFolder
from watcher.store.sqlite.database import Database, open_database, restore_database
from watcher.store.sqlite.file_names import set_aside_files

LATER = NOW + timedelta(hours=3)
MakeEvent = Callable[..., Event]
MakeSnapshot = Callable[..., Snapshot]


def open_later(path: Path) -> Database:
    return open_database(path, purpose="test", now=LATER)


def meta(path: Path) -> dict[str, str]:
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        return dict(connection.execute("SELECT key, value FROM meta").fetchall())


@pytest.fixture
def backed_up(path: Path) -> Path:
    """Return a store with one automatic backup, closed in order."""
    open_database(path, purpose="test", now=NOW).close()
    BackupFolder(path).add(NOW)
    return path


def garbage(path: Path) -> None:
    path.write_bytes(b"this is no database" * 1000)


def flipped_bits(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[4096:8192] = bytes(byte ^ 0x55 for byte in content[4096:8192])
    path.write_bytes(content)


def truncated(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def emptied(path: Path) -> None:
    os.truncate(path, 0)


def gone(path: Path) -> None:
    path.unlink()


DAMAGES = [garbage, flipped_bits, truncated, emptied, gone]


@pytest.mark.parametrize("damage", DAMAGES)
def test_r18_a_damaged_store_is_restored_from_the_newest_backup_under_a_new_epoch(
    backed_up: Path, damage: Callable[[Path], None]
) -> None:
    before = meta(backed_up)["epoch"]
    damage(backed_up)
    left = backed_up.read_bytes() if backed_up.exists() else None
    database = open_later(backed_up)
    opening = database.opening
    database.close()
    assert opening.recovery is not None
    assert opening.recovery.reason == "damaged"
    assert opening.recovery.backup == str(BackupFolder(backed_up).backups()[0][1])
    assert (opening.created, opening.restore and opening.restore.at) == (False, LATER)
    assert opening.epoch != before
    assert [aside.read_bytes() for aside in set_aside_files(backed_up)] == ([] if left is None else [left])


@pytest.mark.parametrize("damage", [garbage, flipped_bits, truncated])
def test_r18_without_a_backup_a_damaged_store_is_refused_with_a_remedy_and_left_alone(
    path: Path, damage: Callable[[Path], None]
) -> None:
    open_database(path, purpose="test", now=NOW).close()
    damage(path)
    left = path.read_bytes()
    for _ in range(2):
        with pytest.raises(StoreDamaged, match=r"damaged or not a store.*aitems-watcher restore.*no sound automatic"):
            open_later(path)
    assert path.read_bytes() == left


def test_r18_a_damaged_backup_is_skipped(backed_up: Path) -> None:
    newer = BackupFolder(backed_up).add(NOW + timedelta(hours=1))
    garbage(newer)
    garbage(backed_up)
    database = open_later(backed_up)
    database.close()
    assert database.opening.recovery is not None
    assert database.opening.recovery.backup != str(newer)


def test_r18_a_restored_store_opens_without_another_recovery(backed_up: Path) -> None:
    garbage(backed_up)
    first = open_later(backed_up)
    first.close()
    second = open_database(backed_up, purpose="test", now=LATER + SECOND)
    second.close()
    assert second.opening.recovery is None
    assert (second.epoch, second.restore and second.restore.at) == (first.epoch, LATER)


def test_r18_a_newer_schema_is_refused_and_not_restored(backed_up: Path) -> None:
    make_newer(backed_up)
    with pytest.raises(StoreTooNew, match="9999"):
        open_later(backed_up)
    assert set_aside_files(backed_up) == []


def make_newer(path: Path) -> None:
    """Pretend that a later version of the program made the store."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.commit()


def newer_backup_in_place(path: Path) -> None:
    shutil.copy(BackupFolder(path).backups()[0][1], path)
    make_newer(path)


def newer_without_log(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode=DELETE")
    make_newer(path)


def newer_with_log(path: Path) -> None:
    """Leave what a kill leaves: the last commit is in the log alone."""
    log = path.with_name(path.name + "-wal")
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.commit()
        kept = {file: file.read_bytes() for file in (path, log)}
    for file, content in kept.items():
        file.write_bytes(content)


def newer_with_empty_log(path: Path) -> None:
    make_newer(path)
    path.with_name(path.name + "-wal").touch()


NEWER = [newer_backup_in_place, newer_without_log, newer_with_log, newer_with_empty_log, make_newer]


@pytest.mark.parametrize("damage", NEWER)
def test_r18_a_newer_schema_is_refused_and_no_byte_changes(backed_up: Path, damage: Callable[[Path], None]) -> None:
    damage(backed_up)
    left = contents(backed_up)
    for _ in range(2):
        with pytest.raises(StoreTooNew, match="9999"):
            open_later(backed_up)
        assert contents(backed_up) == left


def contents(path: Path) -> dict[str, bytes]:
    """Return the bytes of the store and of its log; an empty log may come and go."""
    files = (path, path.with_name(path.name + "-wal"))
    return {file.name: content for file in files if file.exists() and (content := file.read_bytes())}


def test_r18_a_restore_from_a_newer_backup_is_refused_and_the_store_stays(backed_up: Path) -> None:
    ((_, backup),) = BackupFolder(backed_up).backups()
    make_newer(backup)
    left = contents(backed_up)
    for named in (backup, None):
        with pytest.raises(StoreTooNew, match="9999"):
            restore_database(backed_up, named, now=LATER)
    assert contents(backed_up) == left
    assert set_aside_files(backed_up) == []


def test_r18_a_database_of_another_program_is_refused_and_left_alone(backed_up: Path) -> None:
    backed_up.unlink()
    with closing(sqlite3.connect(backed_up)) as connection:
        connection.execute("CREATE TABLE theirs (id INTEGER)")
    left = backed_up.read_bytes()
    with pytest.raises(StoreUnusable, match="another program"):
        open_later(backed_up)
    assert backed_up.read_bytes() == left


DIE_OPEN = """
import os, signal, sys
from datetime import datetime, UTC
from pathlib import Path
from watcher.store.sqlite.database import open_database
database = open_database(Path(sys.argv[1]), purpose="test", now=datetime(2026, 11, 23, 2, 0, tzinfo=UTC))
database._writer._transact(lambda connection: connection.exec_driver_sql("INSERT INTO meta VALUES ('last', 'words')"))
os.kill(os.getpid(), signal.SIGKILL)
"""


def die_open(path: Path) -> None:
    """Let a process die with the store open; its log stays."""
    subprocess.run([sys.executable, "-c", DIE_OPEN, str(path)], check=False)  # noqa: S603 - our own
    assert path.with_name(path.name + "-wal").exists()


def test_r18_after_a_kill_the_store_opens_with_its_epoch(backed_up: Path) -> None:
    before = meta(backed_up)["epoch"]
    die_open(backed_up)
    database = open_later(backed_up)
    database.close()
    assert (database.opening.recovery, database.epoch) == (None, before)


def test_r18_a_missing_log_is_noticed_and_begins_a_new_epoch(backed_up: Path) -> None:
    before = meta(backed_up)["epoch"]
    die_open(backed_up)
    for suffix in ("-wal", "-shm"):
        backed_up.with_name(backed_up.name + suffix).unlink()
    database = open_later(backed_up)
    database.close()
    assert database.opening.recovery is not None
    assert database.opening.recovery.reason == "log-missing"
    assert database.epoch != before


def fail_to_open(path: Path, fault: BaseException, monkeypatch: pytest.MonkeyPatch) -> None:
    """Begin a start that ends before the store is open."""
    with monkeypatch.context() as patched:
        patched.setattr(migrate, "upgrade", mock.Mock(side_effect=fault))
        with pytest.raises((StoreUnusable, type(fault))):
            open_later(path)


FAULTS = (OperationalError("SELECT", {}, Exception("disk I/O error")), BackupError("no space"), KeyboardInterrupt())


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: type(fault).__name__)
def test_r18_a_start_that_fails_after_a_kill_loses_neither_the_epoch_nor_the_log(
    backed_up: Path, fault: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = meta(backed_up)["epoch"]
    die_open(backed_up)
    fail_to_open(backed_up, fault, monkeypatch)
    database = open_later(backed_up)
    database.close()
    assert (database.opening.recovery, database.epoch) == (None, before)
    assert meta(backed_up)["last"] == "words"


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: type(fault).__name__)
def test_r18_a_missing_log_is_noticed_also_after_a_start_that_failed(
    backed_up: Path, fault: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    die_open(backed_up)
    for suffix in ("-wal", "-shm"):
        backed_up.with_name(backed_up.name + suffix).unlink()
    fail_to_open(backed_up, fault, monkeypatch)
    with closing(open_later(backed_up)) as database:
        assert database.opening.recovery is not None
        assert database.opening.recovery.reason == "log-missing"


def no_database(path: Path) -> None:
    path.write_bytes(b"SQLite format 2")


@pytest.mark.parametrize("refused", [garbage, no_database])
def test_r18_a_missing_log_is_noticed_also_after_a_damaged_store_was_refused(
    path: Path, refused: Callable[[Path], None]
) -> None:
    open_database(path, purpose="test", now=NOW).close()
    kept = path.read_bytes()
    die_open(path)
    for suffix in ("-wal", "-shm"):
        path.with_name(path.name + suffix).unlink()
    refused(path)
    with pytest.raises(StoreDamaged):
        open_later(path)
    path.write_bytes(kept)
    database = open_later(path)
    database.close()
    assert database.opening.recovery is not None
    assert database.opening.recovery.reason == "log-missing"


def test_r18_a_log_of_another_store_is_refused(backed_up: Path, tmp_path: Path) -> None:
    other = tmp_path / "other" / "watcher.db"
    open_database(other, purpose="test", now=NOW).close()
    die_open(other)
    die_open(backed_up)
    shutil.copy(other.with_name("watcher.db-wal"), backed_up.with_name("watcher.db-wal"))
    backed_up.with_name("watcher.db-shm").unlink()
    shutil.copy(other, backed_up)
    for _ in range(2):
        with pytest.raises(StoreUnusable, match=r"not the store that was open last.*watcher\.db\.lock"):
            open_later(backed_up)


def test_r18_a_backup_copied_over_the_store_begins_a_new_epoch_also_beside_the_old_log(backed_up: Path) -> None:
    before = meta(backed_up)["epoch"]
    die_open(backed_up)
    shutil.copy(BackupFolder(backed_up).backups()[0][1], backed_up)
    database = open_later(backed_up)
    database.close()
    assert database.opening.recovery is not None
    assert database.opening.recovery.reason == "foreign-log"
    assert database.epoch != before
    with closing(sqlite3.connect(backed_up)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


async def test_r18_events_that_may_have_been_announced_since_the_backup_are_marked_and_others_are_not(
    backed_up: Path, make_event: MakeEvent
) -> None:
    garbage(backed_up)
    database = open_later(backed_up)
    poll_store = PollStore(database)
    assert poll_store.restore is not None
    assert poll_store.restore.at == LATER
    old, new = make_event(1), make_event(2)
    new = replace(new, after=LATER, before=LATER, recorded_at=LATER)
    await poll_store.record(Batch(events=tuple(after_restore(event, poll_store.restore) for event in (old, new))))
    announced = [event for event, _ in await Outbox(database).unrouted(9)]
    database.close()
    assert [event.restored for event in announced] == [True, False]
    made_at = poll_store.restore.backup_made_at
    assert made_at is not None
    assert [event.restored_from for event in announced] == [made_at, None]


async def restored_copy(path: Path, database: Database) -> Database:
    database.close()
    target = path.with_name("copy.db")
    write_backup(path, target, NOW)
    shutil.copy(target, path)
    return open_later(path)


async def test_r18_a_sealed_message_keeps_its_id_and_bytes_and_may_be_a_repeat(
    path: Path, make_event: MakeEvent
) -> None:
    database = open_database(path, purpose="test", now=NOW)
    await enqueue(database, make_event())
    (sealed,) = await claim(database)
    database = await restored_copy(path, database)
    (again,) = await claim(database, token="t2")
    database.close()
    assert (again.request.delivery_id, again.request.body) == (sealed.request.delivery_id, sealed.request.body)
    assert again.request.may_be_repeat
    assert again.request.events == sealed.request.events


async def test_r18_an_unrouted_event_gets_a_new_id_and_a_mark(path: Path, make_event: MakeEvent) -> None:
    database = open_database(path, purpose="test", now=NOW)
    event = make_event()
    await PollStore(database).record(Batch(events=(event,)))
    database = await restored_copy(path, database)
    ((again, _),) = await Outbox(database).unrouted(9)
    database.close()
    assert again.restored
    assert again.id == event_id(database.epoch, event.subject, event.seq) != event.id


async def test_r18_an_open_group_gets_a_new_id_and_its_events_a_mark(path: Path, make_event: MakeEvent) -> None:
    database = open_database(path, purpose="test", now=NOW)
    await enqueue(database, make_event(1, "v1"), make_event(1, "v2"), group=GROUP)
    with closing(sqlite3.connect(path)) as connection:
        (before,) = connection.execute("SELECT id FROM delivery").fetchone()
    database = await restored_copy(path, database)
    (group,) = await claim(database, now=NOW + GROUP.patience)
    assert group.request.delivery_id != before
    assert [event.restored for event in group.request.events] == [True, True]
    assert await settle(database, group)
    database.close()


def test_r18_a_process_that_died_while_it_made_the_store_leaves_a_usable_file(path: Path) -> None:
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
    database = open_database(path, purpose="test", now=NOW)
    database.close()
    assert database.created
