"""Backups: complete, private, made daily, kept for a week; a failure is stored until one succeeds."""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
import stat
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from tests.integration.store.conftest import NOW
from watcher.core.batch import Batch
from watcher.core.event import Event
from watcher.store.epoch import read_fact
from watcher.store.errors import BackupError
from watcher.store.meta_keys import BACKUP_FAILURE
from watcher.store.polls import PollStore
from watcher.store.sqlite.backup import backup_time, install, write_backup
from watcher.store.sqlite.backup_folder import BackupFolder
from watcher.store.sqlite.daily_backup import DailyBackup
from watcher.store.sqlite.database import Database
from watcher.store.sqlite.disk_reserve import RESERVE_BYTES, Reserve

DAY = timedelta(days=1)
MakeEvent = Callable[..., Event]


def count(path: Path, table: str) -> int:
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        return int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])  # noqa: S608 - our own words


async def test_a_backup_is_made_each_day_and_kept_for_a_week(path: Path, database: Database) -> None:
    backups, made = DailyBackup(database), []
    for hours in range(0, 24 * 12, 6):
        now = NOW + timedelta(hours=hours)
        made.append(await backups.make_due(now))
        await backups.prune(now)
    assert sum(file is not None for file in made) == 12
    kept = [made_at for made_at, _ in BackupFolder(path).backups()]
    assert kept == [NOW + day * DAY for day in range(11, 4, -1)]


async def test_the_newest_backup_is_never_removed(path: Path, database: Database) -> None:
    await DailyBackup(database).make_due(NOW)
    assert await DailyBackup(database).prune(NOW + 400 * DAY) == 0
    assert len(BackupFolder(path).backups()) == 1


async def test_after_a_step_back_of_the_clock_a_backup_is_still_made(database: Database) -> None:
    assert await DailyBackup(database).make_due(NOW + 3650 * DAY) is not None
    assert await DailyBackup(database).make_due(NOW) is not None


async def test_a_failure_is_stored_until_a_backup_succeeds(path: Path, database: Database) -> None:
    folder = BackupFolder(path).folder
    folder.write_text("in the way")
    with pytest.raises(BackupError, match="cannot make the folder"):
        await DailyBackup(database).make_due(NOW)
    kept = await database.write(lambda connection: read_fact(connection, BACKUP_FAILURE))
    assert kept is not None
    assert "cannot make the folder" in json.loads(kept)["problem"]
    folder.unlink()
    assert await DailyBackup(database).make_due(NOW) is not None
    assert await database.write(lambda connection: read_fact(connection, BACKUP_FAILURE)) is None


def test_a_backup_is_private_and_sound_and_leaves_no_other_file(tmp_path: Path, database: Database) -> None:
    target = tmp_path / "copy.db"
    write_backup(database.path, target, NOW)
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert backup_time(target) == NOW
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["copy.db"]


async def test_a_file_is_overwritten_only_by_force(tmp_path: Path, database: Database) -> None:
    target = tmp_path / "copy.db"
    target.write_text("precious")
    with pytest.raises(BackupError, match="--force"):
        write_backup(database.path, target, NOW)
    assert target.read_text() == "precious"
    write_backup(database.path, target, NOW, force=True)
    assert backup_time(target) == NOW


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("pipe", "is a device, a pipe or a socket; name a file"),
        ("file/x.db", "Not a directory; check the name, its folder and the space there"),
        ("n" * 300, "File name too long; check the name"),
        ("", "is a folder; name a file in it"),
    ],
)
def test_a_place_where_no_backup_can_be_written_is_left_alone(
    tmp_path: Path, database: Database, name: str, text: str
) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    os.mkfifo(folder / "pipe")
    (folder / "file").touch()
    with pytest.raises(BackupError, match=text):
        write_backup(database.path, folder / name, NOW, force=True)
    assert sorted(item.name for item in folder.iterdir()) == ["file", "pipe"]
    assert (folder / "pipe").is_fifo()


def test_a_backup_through_a_link_writes_its_file(tmp_path: Path, database: Database) -> None:
    link, file = tmp_path / "latest.db", tmp_path / "backup-of-today.db"
    link.symlink_to(file)
    write_backup(database.path, link, NOW)
    assert (link.is_symlink(), backup_time(file)) == (True, NOW)


async def test_a_failed_backup_leaves_the_old_file(tmp_path: Path, database: Database) -> None:
    target = tmp_path / "copy.db"
    target.write_text("precious")
    failing = tmp_path / "broken.db"
    failing.write_bytes(b"no database" * 1000)
    with pytest.raises(BackupError, match="cannot back"):
        write_backup(failing, target, NOW, force=True)
    assert target.read_text() == "precious"


async def test_a_backup_shows_one_point_in_time_while_writes_continue(
    tmp_path: Path, database: Database, make_event: MakeEvent
) -> None:
    async def write_on() -> None:
        for seq in range(1, 200):
            await PollStore(database).record(Batch(events=(make_event(seq),)))

    writing = asyncio.create_task(write_on())
    for number in range(5):
        target = tmp_path / f"copy{number}.db"
        await asyncio.to_thread(write_backup, database.path, target, NOW)
        assert backup_time(target) == NOW
    await writing
    assert count(database.path, "event") == 199


def test_a_store_or_another_file_is_no_backup(tmp_path: Path, database: Database) -> None:
    with pytest.raises(BackupError, match="no backup of one"):
        backup_time(database.path)
    os.mkfifo(tmp_path / "pipe")
    for name in ("pipe", ""):
        with pytest.raises(BackupError, match="is a folder, a device, a pipe or a socket"):
            backup_time(tmp_path / name)
    (tmp_path / "text.db").write_text("text")
    with pytest.raises(BackupError, match="no sound backup"):
        backup_time(tmp_path / "text.db")
    with pytest.raises(BackupError, match="No such file or directory; name a backup"):
        backup_time(tmp_path / "absent.db")


def test_a_backup_is_installed_completely(tmp_path: Path, database: Database) -> None:
    target = tmp_path / "copy.db"
    write_backup(database.path, target, NOW)
    install(target, tmp_path / "other.db")
    assert (tmp_path / "other.db").read_bytes() == target.read_bytes()


def test_the_reserve_takes_real_space_and_is_released_once(path: Path, database: Database) -> None:
    reserve = Reserve(path)
    assert reserve.hold()
    held = path.with_name("watcher.db.reserve").stat()
    assert (held.st_size, held.st_blocks * 512 >= RESERVE_BYTES) == (RESERVE_BYTES, True)
    assert (reserve.release(), reserve.release()) == (True, False)
