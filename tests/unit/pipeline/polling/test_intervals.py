"""The next start of a poll: the limits of its trainings bring it forward, and many of them no more than one does."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Final

import pytest

from watcher.core.batch import Batch, SavedState
from watcher.core.durations.current_run import Bounds, CurrentRun, LearnedLimits, RunStart, Stage
from watcher.core.polling.plan import Poll, WatchAttributes
from watcher.core.polling.schedule import Cadence
from watcher.core.training.model import ServiceRef, Snapshot, TrainingRef
from watcher.core.training.stuck_rules import StuckRules
from watcher.pipeline.polling.cache import PollCache
from watcher.pipeline.polling.intervals import Intervals
from watcher.pipeline.polling.targets import PollTarget

START: Final = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
INTERVAL_SECONDS: Final = 60
LIMIT: Final = timedelta(hours=1)


class Store:
    """A store with trainings in progress."""

    epoch = "e1"
    restore = None

    def __init__(self, snapshots: Sequence[Snapshot]) -> None:
        self._snapshots = tuple(snapshots)

    async def load(self) -> SavedState:
        return SavedState(snapshots=self._snapshots, polls=(), incident_rows=())

    async def record(self, batch: Batch) -> list[Snapshot]:
        raise AssertionError(batch)


class World:
    """Clocks that a test moves, without an incident."""

    seconds = 0.0
    step = timedelta()

    def monotonic(self) -> float:
        return self.seconds

    def utc_now(self) -> datetime:
        return START + timedelta(seconds=self.seconds) + self.step

    def incident_over(self, _poll: Poll) -> None:
        return None


def limited(number: int, passes_after_seconds: float) -> Snapshot:
    """Return a training whose limit passes after this time."""
    entered = START + timedelta(seconds=passes_after_seconds) - LIMIT
    bounds = Bounds(after=entered, before=entered)
    run = CurrentRun(
        start=RunStart(started_after=entered, started_before=entered),
        stages=(Stage(status="learning", entered=bounds),),
        limits=LearnedLimits(),
    )
    ref = TrainingRef("main", "s", "pop", f"v{number}")
    return Snapshot(ref=ref, status="learning", seen_after=START, first_seen_at=START, run=run)


def polled(trainings: Sequence[Snapshot]) -> tuple[Intervals, PollTarget, World]:
    """Return the intervals of a list with these trainings, its target, and the clocks."""
    cache, world = PollCache(Store(trainings)), World()
    asyncio.run(cache.load())
    interval = timedelta(seconds=INTERVAL_SECONDS)
    poll = Poll(
        service=ServiceRef("main", "s"),
        cadence=Cadence(interval=interval, idle_interval=5 * interval),
        attributes=WatchAttributes(stuck_rules=StuckRules(usual=LIMIT)),
    )
    intervals = Intervals(cache, world, world)  # type: ignore[arg-type]  # only this method is called
    return intervals, PollTarget(poll=poll, polling_since=START), world


@pytest.mark.parametrize(("days", "days_of_change"), [(-7, -7), (-7, 0), (7, 7), (7, 0)])
def test_a_step_of_the_wall_clock_slows_no_polls_of_trainings_before_or_after_it(
    days: int, days_of_change: int
) -> None:
    changed = START + timedelta(days=days_of_change)
    training = replace(limited(1, 9e6), changed_after=changed, changed_before=changed)
    intervals, target, world = polled([training])
    world.step = timedelta(days=days)
    assert intervals.next_start(target, 0.0) <= INTERVAL_SECONDS


@pytest.mark.parametrize("days", [-7, 7])
def test_a_poll_follows_a_limit_after_a_step_of_the_wall_clock(days: int) -> None:
    step = timedelta(days=days)
    intervals, target, world = polled([limited(1, 17 + step.total_seconds())])
    world.step = step
    assert intervals.next_start(target, 0.0) == pytest.approx(18)


def starts_of_polls(trainings: Sequence[Snapshot], until_seconds: float) -> list[float]:
    """Return the starts of the polls until a time; each is answered at once and changes nothing."""
    intervals, target, world = polled(trainings)
    starts = [0.0]
    while starts[-1] < until_seconds:
        world.seconds = starts[-1]
        starts.append(intervals.next_start(target, world.seconds))
    return starts


def test_a_poll_follows_a_limit_at_once_and_comes_not_before_it() -> None:
    assert starts_of_polls([limited(1, 17)], 60)[1] == pytest.approx(18)


def test_the_limits_of_many_trainings_take_one_poll_an_interval_beside_the_usual_ones() -> None:
    end = 10 * INTERVAL_SECONDS
    starts = starts_of_polls([limited(number, number * 3) for number in range(end // 3)], end)
    # The usual ones start up to a tenth of an interval early.
    assert len(starts) <= 2.2 * end / INTERVAL_SECONDS
    assert max(after - before for before, after in pairwise(starts)) <= INTERVAL_SECONDS
