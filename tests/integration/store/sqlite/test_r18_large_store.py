"""R18 for a large store: a start does not wait until all of it is read; damage is found and repaired all the same."""

from __future__ import annotations

import asyncio
import io
import json
import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from tests.integration.store.conftest import NOW
from tests.support.daemon_in_process import ENVIRON, settings
from watcher import config
from watcher.app import Runtime, open_daemon
from watcher.clock import Clock
from watcher.line_writer import LineWriter
from watcher.logs import Redactor
from watcher.store.errors import StoreDamaged
from watcher.store.sqlite import integrity
from watcher.store.sqlite.backup_folder import BackupFolder
from watcher.store.sqlite.database import Database, open_database
from watcher.store.sqlite.file_names import LOCK, set_aside_files, side_file
from watcher.store.sqlite.lock import DAEMON

LATER = NOW + timedelta(hours=3)
PAGE_BYTES = 4096


@pytest.fixture
def large(path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a store with a backup, closed in order, that counts as large."""
    monkeypatch.setattr(integrity, "LARGE_BYTES", 0)
    open_database(path, purpose=DAEMON, now=NOW).close()
    BackupFolder(path).add(NOW)
    return path


def damage(path: Path, table: str) -> None:
    """Fill the first page of a table with garbage."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        (page,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (table,)).fetchone()
    content = bytearray(path.read_bytes())
    content[(page - 1) * PAGE_BYTES : page * PAGE_BYTES] = b"\x55" * PAGE_BYTES
    path.write_bytes(content)


def reopened(path: Path, purpose: str = DAEMON) -> Database:
    return open_database(path, purpose=purpose, now=LATER)


def fail(database: Database) -> None:
    """Check the store as the daemon does, and end by the finding."""
    try:
        with pytest.raises(StoreDamaged), database.used():
            database.check()
    finally:
        database.close()


@pytest.mark.parametrize("table", ["silence", "delivery", "ix_event_recorded"])
def test_r18_damage_of_a_large_store_is_found_beside_the_work_and_repaired_by_the_next_start(
    large: Path, table: str
) -> None:
    damage(large, table)
    database = reopened(large)
    assert (database.opening.checked, database.opening.recovery) == (False, None)
    fail(database)
    with closing(reopened(large)) as restored:
        assert restored.opening.recovery is not None
        assert restored.opening.recovery.reason == "damaged"
        restored.check()
    assert set_aside_files(large)


@pytest.mark.parametrize("table", ["meta", "alembic_version"])
def test_r18_damage_that_a_start_meets_at_once_is_repaired(large: Path, table: str) -> None:
    damage(large, table)
    with closing(reopened(large)) as restored:
        assert restored.opening.recovery is not None


def test_r18_after_a_kill_a_large_store_is_read_before_it_is_opened(large: Path) -> None:
    side_file(large, LOCK).write_text(json.dumps({"pid": 0, "purpose": DAEMON}))
    damage(large, "silence")
    with closing(reopened(large)) as restored:
        assert restored.opening.checked
        assert restored.opening.recovery is not None


@pytest.mark.parametrize("purpose", ["once", "migrate", "silence-add"])
def test_r18_a_command_that_ends_at_once_reads_a_large_store_first(large: Path, purpose: str) -> None:
    damage(large, "silence")
    with closing(reopened(large, purpose)) as restored:
        assert restored.opening.recovery is not None


def test_r18_a_sound_large_store_stays_as_it_is(large: Path) -> None:
    for _ in range(2):
        with closing(reopened(large)) as database:
            assert (database.opening.checked, database.opening.recovery) == (False, None)
            database.check()


def test_r18_a_small_store_is_read_before_it_is_opened(path: Path) -> None:
    open_database(path, purpose=DAEMON, now=NOW).close()
    BackupFolder(path).add(NOW)
    damage(path, "silence")
    with closing(reopened(path)) as restored:
        assert restored.opening.recovery is not None


async def test_r18_a_daemon_ends_when_it_finds_damage_and_starts_again_with_the_backup(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(integrity, "LARGE_BYTES", 0)
    loaded = config.load(tmp_path / "config.toml", text=settings("http://127.0.0.1:1", ["svc"], {"hook": "http://x/"}))
    store = loaded.store_path(ENVIRON)
    open_database(store, purpose=DAEMON, now=NOW).close()
    BackupFolder(store).add(NOW)
    damage(store, "silence")
    runtime = Runtime(environ=ENVIRON, redactor=Redactor(), clock=Clock(), output=LineWriter(io.StringIO()))
    async with asyncio.timeout(30):
        with pytest.raises(StoreDamaged):
            async with open_daemon(loaded, runtime, purpose=DAEMON) as daemon:
                await daemon.run(asyncio.Event())
    async with open_daemon(loaded, runtime, purpose=DAEMON) as daemon:
        assert daemon.database.opening.recovery is not None
