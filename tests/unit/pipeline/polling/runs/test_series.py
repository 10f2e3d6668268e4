"""The metrics show a bounded number of runs and retrainings, and collect them in parts."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from tests.unit.pipeline.polling.runs.test_deadlines import START, a_poll, limited
from tests.unit.pipeline.polling.runs.test_overdue import NOW, POLL, RULES
from tests.unit.pipeline.polling.test_cache import RowStore
from watcher.core.batch import Batch
from watcher.core.durations.current_run import StuckReport
from watcher.core.polling.plan import Poll, WatchAttributes
from watcher.core.training.absence import Missing
from watcher.core.training.model import ServiceRef, Snapshot
from watcher.core.training.retraining import Retraining, RetrainingRef
from watcher.pipeline.polling.cache import PollCache
from watcher.pipeline.polling.runs import series

MOST = 3


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(series, "SERIES_MAX", MOST)


def since(number: int, seconds: float) -> Snapshot:
    return replace(limited(number, 9999), changed_before=START + timedelta(seconds=seconds))


def cache_of(*snapshots: Snapshot) -> PollCache:
    cache = PollCache(RowStore())
    cache.note(list(snapshots), [])
    return cache


async def test_all_runs_are_shown_where_there_are_few() -> None:
    cache = cache_of(*(since(number, number) for number in range(5)), limited(9, 1, gone=True))
    shown = await series.runs_in_progress(cache, [a_poll()])
    assert {item.ref.version for item in shown} == {f"v{number}" for number in range(5)}


@pytest.mark.usefixtures("few")
async def test_of_too_many_runs_the_stuck_ones_and_the_longest_are_shown() -> None:
    stuck = since(7, 700)
    assert stuck.run is not None
    report = StuckReport(first_at=START, level=1, whole_run=False)
    reported = replace(stuck, run=replace(stuck.run, report=report))
    cache = cache_of(*(since(number, 100 - number) for number in range(5)), reported)
    shown = await series.runs_in_progress(cache, [a_poll()])
    assert [item.ref.version for item in shown] == ["v7", "v4", "v3"]


@pytest.mark.usefixtures("few")
async def test_of_too_many_retrainings_the_overdue_ones_and_the_next_are_shown() -> None:
    states = [
        Retraining(ref=RetrainingRef("main", "s", f"t{number}"), since=NOW + timedelta(hours=number))
        for number in range(5)
    ]
    states[4] = replace(states[4], reported=frozenset({Missing.START}))
    cache = PollCache(RowStore())
    await cache.commit(Batch(retrainings=tuple(states)))
    shown = await series.retrainings(cache, [replace(POLL, attributes=WatchAttributes(retraining_rules=RULES))])
    assert [item.ref.type for item in shown] == ["t4", "t0", "t1"]


async def test_other_tasks_run_while_many_polls_are_read() -> None:
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(other())
    polls = [Poll(service=ServiceRef("main", f"s{number}"), cadence=POLL.cadence) for number in range(1_000)]
    await series.runs_in_progress(cache_of(), polls)
    task.cancel()
    assert turns >= len(polls) / series.POLLS_AT_ONCE
