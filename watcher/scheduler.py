"""APScheduler, which only rings: what is due is decided by the rows and one clock, work runs in tasks the app owns.

APScheduler 3 counts on the wall clock: it drops what is late by more than its grace, and after a step back it
would be silent for as long as the step. So there is one ringing job with a trigger that counts from now, and a
guard on the loop's own time that rings itself and sets the job anew when the wall clock has stepped.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.base import BaseTrigger

from watcher.clock import Clock

log = structlog.get_logger()

RING_EVERY: Final = timedelta(milliseconds=100)
GUARD_SECONDS: Final = 1.0
STEP_SECONDS: Final = 1.0
"""A difference between wall and monotonic time that is no drift."""


class FromNow(BaseTrigger):  # type: ignore[misc]  # APScheduler 3 has no types
    """Fires so long after now, whatever the last time was: a late ring is not made up for."""

    def __init__(self, every: timedelta) -> None:
        self._every = every

    def get_next_fire_time(self, _previous: datetime | None, now: datetime) -> datetime:
        """Return the next time, see APScheduler's ``BaseTrigger``."""
        return now + self._every


class Scheduler:
    """Rings ``tick`` ten times a second, through steps of the wall clock too."""

    def __init__(self, tick: Callable[[], None], clock: Clock, on_step: Callable[[], None]) -> None:
        self._ring = tick
        self._on_step = on_step
        self._clock = clock
        self._scheduler = AsyncIOScheduler(timezone=UTC)

    async def run(self) -> None:
        """Ring for ever; stops ringing when it is cancelled."""
        options = {"misfire_grace_time": None, "coalesce": True, "max_instances": 1}
        job = self._scheduler.add_job(self._fire, FromNow(RING_EVERY), next_run_time=datetime.now(UTC), **options)
        self._scheduler.start()
        try:
            await self._guard(lambda: job.modify(next_run_time=datetime.now(UTC)))
        finally:
            self._scheduler.shutdown(wait=False)

    async def _fire(self) -> None:
        # A coroutine, since APScheduler runs plain functions in threads.
        self._ring()

    async def _guard(self, rearm: Callable[[], object]) -> None:
        offset = self._offset()
        while True:
            await asyncio.sleep(GUARD_SECONDS)
            self._ring()
            step = self._offset() - offset
            if abs(step) > STEP_SECONDS:
                log.warning("clock.stepped", seconds=round(step, 3))
                rearm()
                self._on_step()
                offset += step

    def _offset(self) -> float:
        return self._clock.utc_now().timestamp() - self._clock.monotonic()
