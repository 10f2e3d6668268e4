"""The store's file shrinks after pruning, in small steps; that of an older version does once it is rewritten."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from tests.integration.store.conftest import NOW
from watcher.clock import Clock
from watcher.core.batch import Batch
from watcher.core.event import Event
from watcher.core.timestamps import to_text
from watcher.pipeline.clock_trust import ClockTrust
from watcher.pipeline.maintenance import Limits, Maintenance
from watcher.store.deliveries import Deliveries
from watcher.store.polls import PollStore
from watcher.store.retention import Retention
from watcher.store.sqlite.backup import write_backup
from watcher.store.sqlite.daily_backup import DailyBackup
from watcher.store.sqlite.database import Database, open_database, restore_database
from watcher.store.sqlite.free_pages import SPARE_PAGES, STEP_PAGES

EVENTS = 800
PADDING = "x" * 4000
"""Makes an event as large as a page."""
MakeEvent = Callable[..., Event]
DAY = timedelta(days=1)


def number(path: Path, pragma: str) -> int:
    with closing(sqlite3.connect(path)) as connection:
        return int(connection.execute(f"PRAGMA {pragma}").fetchone()[0])


def size_of(path: Path) -> int:
    return path.stat().st_size


async def fill(database: Database, make_event: MakeEvent, *, count: int = EVENTS) -> None:
    """Record events and route them, each as large as a page."""
    events = (replace(make_event(number), service_name=PADDING) for number in range(1, count + 1))
    await PollStore(database).record(Batch(events=tuple(events)))
    routed = ("UPDATE event SET routed_at = ?", (to_text(NOW),))
    await database.write(lambda connection: connection.exec_driver_sql(*routed))


async def prune(database: Database) -> None:
    while await Retention(database).prune(NOW + DAY):
        pass


async def released(database: Database) -> list[int]:
    """Release pages to the end; return the number of each step."""
    steps = []
    while pages := await database.release_pages():
        steps.append(pages)
    return steps


def without_auto_vacuum(path: Path) -> None:
    """Make the store like that of an older version."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode=DELETE")
        connection.execute("PRAGMA auto_vacuum=NONE")
        connection.execute("VACUUM")


async def test_the_file_shrinks_after_pruning_in_small_steps(
    path: Path, database: Database, make_event: MakeEvent
) -> None:
    await fill(database, make_event)
    full = number(path, "page_count")
    assert await released(database) == [], "nothing is free yet"
    await prune(database)
    assert number(path, "page_count") == full
    steps = await released(database)
    assert len(steps) > 1
    assert max(steps) <= STEP_PAGES
    assert number(path, "page_count") <= full - sum(steps)
    assert number(path, "freelist_count") == SPARE_PAGES
    database.close()
    assert size_of(path) < full * 4096 / 2
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


async def test_a_few_free_pages_stay_for_the_next_rows(path: Path, database: Database, make_event: MakeEvent) -> None:
    await fill(database, make_event, count=SPARE_PAGES // 2)
    await prune(database)
    assert number(path, "freelist_count") > 0
    assert await released(database) == []


async def test_the_hourly_maintenance_shrinks_the_file(path: Path, database: Database, make_event: MakeEvent) -> None:
    await fill(database, make_event)
    full = number(path, "page_count")
    limits = Limits(keep_history=DAY, longest_wait=DAY, give_up_after=DAY, receivers=frozenset())
    clock = Clock()
    trust = ClockTrust(clock)
    trust.note_agreement()
    maintenance = Maintenance(
        Retention(database),
        Deliveries(database),
        DailyBackup(database),
        limits,
        clock,
        clock_trust=trust,
        release_pages=database.release_pages,
    )
    with capture_logs() as lines:
        await maintenance.once()
    (line,) = (line for line in lines if line["event"] == "store.shrunk")
    assert number(path, "page_count") <= full - line["pages"]
    assert line["pages"] > STEP_PAGES


@pytest.mark.parametrize("way", ["backup and restore", "opened again"])
async def test_a_store_keeps_its_way_to_shrink(path: Path, make_event: MakeEvent, way: str) -> None:
    made = open_database(path, purpose="test", now=NOW)
    await fill(made, make_event)
    made.close()
    if way == "backup and restore":
        copy = path.with_name("copy.db")
        write_backup(path, copy, NOW)
        restore_database(path, copy, now=NOW).close()
    with closing(open_database(path, purpose="test", now=NOW)) as database:
        await prune(database)
        assert sum(await released(database)) > 0


async def test_the_store_of_an_older_version_works_and_shrinks_once_it_is_rewritten(
    path: Path, make_event: MakeEvent
) -> None:
    made = open_database(path, purpose="test", now=NOW)
    await fill(made, make_event)
    made.close()
    without_auto_vacuum(path)
    with closing(open_database(path, purpose="run", now=NOW)) as database:
        await prune(database)
        assert await released(database) == [], "a daemon does not rewrite the store"
    full = size_of(path)
    with closing(open_database(path, purpose="migrate", now=NOW)) as database:
        assert database.make_shrinkable()
        assert not database.make_shrinkable(), "once is enough"
    assert size_of(path) < full / 2
    with closing(open_database(path, purpose="run", now=NOW)) as database:
        await fill(database, lambda seq: make_event(seq + EVENTS))
        await prune(database)
        assert sum(await released(database)) > 0
