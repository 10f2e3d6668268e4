"""A store whose file is not where it was opened: removed, moved, replaced, or behind another file system."""

from __future__ import annotations

import asyncio
import shutil
import threading
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from watcher.store.epoch import write_fact
from watcher.store.sql.write_faults import WriteFault
from watcher.store.sqlite.database import open_database
from watcher.store.sqlite.write_health import WriteHealth

NOW = datetime(2026, 11, 28, 3, 0, tzinfo=UTC)


def remove_the_folder(store: Path) -> None:
    shutil.rmtree(store.parent)


def move_the_folder(store: Path) -> None:
    store.parent.rename(store.parent.with_name("elsewhere"))


def remove_the_file(store: Path) -> None:
    store.unlink()


def replace_the_file(store: Path) -> None:
    copy = store.with_name("copy")
    shutil.copy(store, copy)
    copy.replace(store)


def put_a_file_in_the_place_of_the_folder(store: Path) -> None:
    move_the_folder(store)
    store.parent.write_text("a file")


FAULTS = (
    remove_the_folder,
    move_the_folder,
    remove_the_file,
    replace_the_file,
    put_a_file_in_the_place_of_the_folder,
)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
async def test_a_store_that_is_not_in_its_place_is_failing(tmp_path: Path, fault: Callable[[Path], None]) -> None:
    store = tmp_path / "state" / "watcher.db"
    with closing(open_database(store, purpose="test", now=NOW)) as database:
        health = WriteHealth(database)
        assert await health.fault(1.0) is None
        fault(store)
        assert await health.fault(2.0) == "store-removed"
        assert await health.recovered(NOW) is False
        assert await health.free_bytes() >= 0


async def test_a_store_that_is_back_in_its_place_recovers(tmp_path: Path) -> None:
    store = tmp_path / "state" / "watcher.db"
    with closing(open_database(store, purpose="test", now=NOW)) as database:
        health = WriteHealth(database)
        move_the_folder(store)
        assert await health.fault(1.0) == "store-removed"
        (tmp_path / "elsewhere").rename(store.parent)
        assert await health.recovered(NOW) is True
        assert await health.fault(2.0) is None


async def test_a_wait_for_a_write_ends_with_its_begin_and_without_one(tmp_path: Path) -> None:
    with closing(open_database(tmp_path / "watcher.db", purpose="test", now=NOW)) as database:
        health = WriteHealth(database)
        assert await health.until_write(0.001) is False
        waiting = asyncio.create_task(health.until_write(60))
        await asyncio.sleep(0)
        await database.write(lambda connection: write_fact(connection, "key", "value"))
        assert await waiting is True
        assert await health.until_write(0.001) is False


async def test_nothing_waits_for_a_write_while_one_is_in_progress_or_the_latest_failed(tmp_path: Path) -> None:
    with closing(open_database(tmp_path / "watcher.db", purpose="test", now=NOW)) as database:
        health = WriteHealth(database)
        go = threading.Event()
        write = asyncio.create_task(database.write(lambda _connection: go.wait(10)))
        await asyncio.sleep(0)
        assert await health.until_write(60) is True
        go.set()
        await write
        database._writer.failing = WriteFault.IO
        assert await health.until_write(60) is True
