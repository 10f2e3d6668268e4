"""Steps of the wall clock, which change no duration of a run in progress."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from watcher.clock import STEP_SECONDS
from watcher.pipeline.polling.cache import PollCache
from watcher.pipeline.ports import Clock


class ClockSteps:
    """Corrects the runs in progress, before a decision compares their bounds with the present time.

    Args:
        cache: the state in memory.
        clock: the machine's clocks.
    """

    def __init__(self, cache: PollCache, clock: Clock) -> None:
        self._cache = cache
        self._clock = clock
        self._offset = self._present_offset()

    def correct(self) -> None:
        """Count the step since the last call, if there was one, as time that was not polled."""
        step = self._present_offset() - self._offset
        if abs(step) <= STEP_SECONDS:
            return
        self._offset += step
        gap = timedelta(seconds=step)
        running = self._cache.all_in_progress()
        self._cache.note([replace(item, run=run.with_gap(gap)) for item in running if (run := item.run)], ())

    def _present_offset(self) -> float:
        return self._clock.utc_now().timestamp() - self._clock.monotonic()
