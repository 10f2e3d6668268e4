"""APScheduler: one job that fires when the next poll is due.

APScheduler only gives the signal. The poller decides which polls are due, and runs them in its own tasks, since
APScheduler 3 cancels its jobs at shutdown.

APScheduler 3 counts on the wall clock, so a step back would silence it for the length of the step. A second wait, on
the loop's own time, ends a second after the due time and starts a poll that the job has not: no poll is late by more
than that. Its other ends, at each change of the schedule and every ten seconds at least, report progress and find a
step of the wall clock. Nothing wakes the loop between.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

import structlog
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.base import BaseTrigger

from watcher.clock import STEP_SECONDS, Clock

log = structlog.get_logger()

LATE_SECONDS: Final = 1.0
"""A poll that the job has not started so long after its due time is started without it."""
LONGEST_WAIT_SECONDS: Final = 10.0
"""The longest time between two ticks: a step of the wall clock is found within it."""
LEAST_WAIT_SECONDS: Final = 0.05
"""Polls that are due within this time start together. APScheduler loops for ever on a next time that is not later."""
IDLE_SECONDS: Final = 3600.0
"""The wait while no poll is due; without a next time, APScheduler would remove the job."""
MARGIN_SECONDS: Final = 0.001
"""The job fires this long after the due time, since a timer that fires early would find no due poll."""


RUN_ITERATIONS: Final = 2
"""The iterations of the event loop from the begin of a run to its end."""


class Polls(Protocol):
    """The polling stage, as far as the scheduler needs it."""

    def tick(self) -> None:
        """Start the polls that are due, and report progress."""
        ...

    def next_due(self) -> float | None:
        """Return the time of the next poll, in monotonic seconds; ``None`` while there is none to start."""
        ...

    async def rescheduled(self, timeout_seconds: float) -> None:
        """Wait until ``next_due`` may be earlier than before, at most this long."""
        ...


class NextPoll(BaseTrigger):  # type: ignore[misc]  # APScheduler 3 has no types
    """Fires once after a wait; each run sets the job anew. A missed time is not made up for."""

    def __init__(self, wait_seconds: Callable[[], float]) -> None:
        self._wait_seconds = wait_seconds

    def get_next_fire_time(self, previous: datetime | None, now: datetime) -> datetime:
        """Return the next time, see APScheduler's ``BaseTrigger``."""
        # As a run begins, APScheduler asks for the next time. It would skip one that came before the run has ended.
        return now + timedelta(seconds=self._wait_seconds() if previous is None else LATE_SECONDS)


class Scheduler:
    """Calls ``polls.tick`` when a poll is due, and at least every ten seconds.

    Args:
        polls: the polling stage.
        clock: the machine's clocks.
        on_step: called after a step of the wall clock.
    """

    def __init__(self, polls: Polls, clock: Clock, on_step: Callable[[], None]) -> None:
        self._polls = polls
        self._clock = clock
        self._on_step = on_step
        self._engine = AsyncIOScheduler(timezone=UTC)
        # Without a grace time, APScheduler would skip a job that is a second late.
        options = {"misfire_grace_time": None, "coalesce": True, "max_instances": 1}
        self._job = self._engine.add_job(self._fire, NextPoll(self._wait_seconds), **options)
        self._set_for: float | None = None
        """The due time that the job is set for, in monotonic seconds."""

    async def run(self) -> None:
        """Run until cancelled."""
        self._engine.start()
        try:
            await self._follow_schedule()
        finally:
            await self._stop()

    async def _stop(self) -> None:
        self._engine.pause()
        # A run that has just begun ends within this time; the shutdown would cancel it and log an error.
        for _ in range(RUN_ITERATIONS):
            await asyncio.sleep(0)
        self._engine.shutdown(wait=False)

    async def _fire(self) -> None:
        # A coroutine, since APScheduler runs plain functions in threads.
        self._polls.tick()
        self._set_anew()

    async def _follow_schedule(self) -> None:
        """Set the job anew at each change of the schedule, start what it has missed, and find steps of the clock."""
        offset = self._offset()
        while True:
            await self._polls.rescheduled(self._longest_wait())
            self._polls.tick()
            self._follow()
            step = self._offset() - offset
            if abs(step) > STEP_SECONDS:
                log.warning("clock.stepped", seconds=round(step, 3))
                self._set_anew()
                self._on_step()
                offset += step

    def _longest_wait(self) -> float:
        due = self._polls.next_due()
        if due is None:
            return LONGEST_WAIT_SECONDS
        return min(max(due - self._clock.monotonic(), 0.0) + LATE_SECONDS, LONGEST_WAIT_SECONDS)

    def _follow(self) -> None:
        """Set the job anew if another poll is the next one."""
        if self._polls.next_due() != self._set_for:
            self._set_anew()

    def _set_anew(self) -> None:
        self._job.reschedule(self._job.trigger)

    def _wait_seconds(self) -> float:
        self._set_for = self._polls.next_due()
        if self._set_for is None:
            return IDLE_SECONDS
        return max(self._set_for + MARGIN_SECONDS - self._clock.monotonic(), LEAST_WAIT_SECONDS)

    def _offset(self) -> float:
        return self._clock.utc_now().timestamp() - self._clock.monotonic()
