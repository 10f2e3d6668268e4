"""The scheduler wakes when a poll is due, and looks at the clocks every ten seconds."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Final

import pytest

from tests.support.virtual import VirtualClock, run
from tests.support.virtual_daemon import apscheduler_on
from watcher.core.polling.plan import Poll
from watcher.core.polling.schedule import Cadence
from watcher.core.training.model import ServiceRef
from watcher.pipeline.polling import poller
from watcher.pipeline.polling.targets import PollTarget, PollTargets
from watcher.scheduler import LATE_SECONDS, LONGEST_WAIT_SECONDS, Scheduler

TOLERANCE: Final = 0.01
HALF_MINUTE: Final = timedelta(seconds=30)
POLL: Final = Poll(service=ServiceRef("main", "s1"), cadence=Cadence(interval=HALF_MINUTE, idle_interval=HALF_MINUTE))


class Polls:
    """Polls of one target that take no time; each is followed by the next after ``interval``."""

    def __init__(self, clock: VirtualClock, interval: float) -> None:
        self.clock = clock
        self.interval = interval
        self.paused = False
        self.ticks: list[float] = []
        self.started: list[float] = []
        self.steps: list[float] = []
        self.targets = PollTargets()
        self.targets.add(PollTarget(poll=POLL, polling_since=clock.utc_now()), clock.monotonic() + interval)

    def tick(self) -> None:
        now = self.clock.monotonic()
        self.ticks.append(now)
        for target, _ in self.targets.take_due(now) if not self.paused else ():
            self.started.append(now)
            self.targets.plan(target.poll.key, now + self.interval)

    def next_due(self) -> float | None:
        return None if self.paused else self.targets.next_due()

    async def rescheduled(self, timeout_seconds: float) -> None:
        await self.targets.rescheduled(timeout_seconds)

    def note_step(self) -> None:
        self.steps.append(self.clock.monotonic())


@asynccontextmanager
async def scheduling(clock: VirtualClock, interval: float) -> AsyncIterator[Polls]:
    """Run a scheduler during the block."""
    polls = Polls(clock, interval)
    scheduler = Scheduler(polls, clock, polls.note_step)  # type: ignore[arg-type]  # VirtualClock fits Clock
    with apscheduler_on(clock):
        task = asyncio.create_task(scheduler.run())
        yield polls
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def test_polls_start_on_time_at_any_fraction_of_a_second() -> None:
    async def main(clock: VirtualClock) -> list[float]:
        async with scheduling(clock, 7.3) as polls:
            await asyncio.sleep(30)
        return polls.started

    assert run(main) == pytest.approx([7.3, 14.6, 21.9, 29.2], abs=TOLERANCE)


@pytest.mark.parametrize(("interval", "most"), [(30, 12), (300, 7), (7.3, 24)])
def test_an_idle_scheduler_wakes_for_its_polls_and_every_ten_seconds(interval: float, most: int) -> None:
    async def main(clock: VirtualClock) -> int:
        async with scheduling(clock, interval) as polls:
            await asyncio.sleep(60)
        return len(polls.ticks)

    # Six waits of ten seconds, and two ticks a poll: the job's, and that which follows the new start.
    assert run(main) <= most


def test_a_poll_that_is_brought_forward_starts_at_once() -> None:
    async def main(clock: VirtualClock) -> list[float]:
        async with scheduling(clock, 300) as polls:
            await asyncio.sleep(0.5)
            polls.targets.bring_forward([POLL.key], clock.monotonic())
            polls.interval = 0.25
            await asyncio.sleep(0.4)
        return polls.started

    assert run(main) == pytest.approx([0.5, 0.75], abs=TOLERANCE)


def test_during_a_pause_the_scheduler_hardly_wakes() -> None:
    async def main(clock: VirtualClock) -> tuple[int, list[float]]:
        async with scheduling(clock, 3) as polls:
            await asyncio.sleep(1.5)
            polls.paused = True
            await asyncio.sleep(10)
            ticks = len(polls.ticks)
            polls.paused = False
            polls.targets.notify_rescheduled()
            await asyncio.sleep(0.1)
        return ticks, polls.started

    ticks, started = run(main)
    assert ticks <= 4
    assert started == pytest.approx([11.5], abs=TOLERANCE)


@pytest.mark.parametrize("step", [timedelta(hours=-1), timedelta(hours=3), timedelta(days=3653)])
def test_after_a_step_of_the_wall_clock_polls_keep_their_interval(step: timedelta) -> None:
    async def main(clock: VirtualClock) -> Polls:
        async with scheduling(clock, 5.5) as polls:
            await asyncio.sleep(5.2)
            clock.step = step
            await asyncio.sleep(20)
        return polls

    polls = run(main)
    waits = [later - earlier for earlier, later in zip([0.0, *polls.started], polls.started, strict=False)]
    assert len(polls.started) == 4
    assert all(5.5 - TOLERANCE <= wait <= 5.5 + LATE_SECONDS + TOLERANCE for wait in waits)
    assert len(polls.steps) == 1


def test_a_step_of_the_wall_clock_is_found_while_no_poll_is_due() -> None:
    async def main(clock: VirtualClock) -> list[float]:
        async with scheduling(clock, 300) as polls:
            await asyncio.sleep(65)
            clock.step = timedelta(hours=-1)
            await asyncio.sleep(20)
        return polls.steps

    (found_at,) = run(main)
    assert 65 < found_at <= 65 + LONGEST_WAIT_SECONDS + TOLERANCE


def test_the_polling_stage_expects_a_tick_as_often_as_the_scheduler_makes_one() -> None:
    assert poller.TICK_SECONDS == LONGEST_WAIT_SECONDS


@pytest.mark.parametrize("turns", range(4))
def test_an_end_while_a_run_just_begins_logs_no_error(turns: int, caplog: pytest.LogCaptureFixture) -> None:
    async def main(clock: VirtualClock) -> None:
        polls = Polls(clock, 7.3)
        scheduler = Scheduler(polls, clock, polls.note_step)  # type: ignore[arg-type]  # VirtualClock fits Clock
        with apscheduler_on(clock):
            task = asyncio.create_task(scheduler.run())
            await asyncio.sleep(7.2)
            loop, fires_at = asyncio.get_running_loop(), scheduler._engine._timeout.when()

            def cancel_after(left: int) -> None:
                loop.call_soon(cancel_after, left - 1) if left else task.cancel()

            # Just before the timer of the run, in the same turn of the loop.
            loop.call_at(fires_at - 1e-10, cancel_after, turns)
            await asyncio.gather(task, return_exceptions=True)
            await asyncio.sleep(1)

    run(main)
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == []
