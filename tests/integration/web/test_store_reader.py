"""Reads of the store for web requests: few at a time, also when requests end early."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

from tests.support.past_runs import NOW
from watcher.store.sqlite.database import open_database
from watcher.store.url import sqlite_url
from watcher.store.views import Views
from watcher.web.cpu_time import CpuTime, counting
from watcher.web.store_reader import AT_A_TIME, StoreReader


async def test_a_read_keeps_its_slot_after_the_end_of_its_request(tmp_path: Path) -> None:
    path, may_end, begun = tmp_path / "watcher.db", threading.Event(), list[int]()
    open_database(path, purpose="test", now=NOW).close()
    reader = StoreReader(sqlite_url(path))

    def read(_views: Views) -> None:
        begun.append(1)
        may_end.wait(30)

    requests = [asyncio.ensure_future(reader(read)) for _ in range(AT_A_TIME)]
    while len(begun) < AT_A_TIME:
        await asyncio.sleep(0.01)
    for request in requests:
        request.cancel()
    await asyncio.gather(*requests, return_exceptions=True)
    waiting = asyncio.ensure_future(reader(read))
    await asyncio.sleep(0.2)
    assert len(begun) == AT_A_TIME, "a read began beside those that still run"
    may_end.set()
    await waiting
    assert len(begun) == AT_A_TIME + 1


async def test_the_cpu_time_of_a_read_counts_for_the_page_that_reads(tmp_path: Path) -> None:
    path, spent = tmp_path / "watcher.db", CpuTime()
    open_database(path, purpose="test", now=NOW).close()
    reader = StoreReader(sqlite_url(path))
    await reader(Views.facts)
    assert spent.seconds == 0
    with counting(spent):
        await reader(Views.facts)
    assert spent.seconds > 0
