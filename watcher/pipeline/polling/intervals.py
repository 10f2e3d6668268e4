"""The time from one poll of a target to the next."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from watcher.clock import STEP_SECONDS
from watcher.core.polling.adaptive import Density, density_of, next_wait
from watcher.core.polling.plan import Poll
from watcher.core.polling.schedule import interval_after, interval_for, needs_answer, needs_fast_polls, next_start
from watcher.core.training.model import Snapshot
from watcher.pipeline.polling.cache import PollCache
from watcher.pipeline.polling.incidents.monitor import IncidentMonitor
from watcher.pipeline.polling.runs.in_progress import earliest_deadline
from watcher.pipeline.polling.runs.overdue import earliest_overdue
from watcher.pipeline.polling.targets import PollTarget
from watcher.pipeline.ports import Clock

AFTER_DEADLINE: Final = timedelta(seconds=1)
"""The wall clock may run a little behind the monotonic one, and the poll must not come before the limit."""

STEP: Final = timedelta(seconds=STEP_SECONDS)


class Intervals:
    """Chooses the next start of a target by its failures, its incident, and its trainings."""

    def __init__(self, cache: PollCache, incident_monitor: IncidentMonitor, clock: Clock) -> None:
        self._cache = cache
        self._incident_monitor = incident_monitor
        self._clock = clock
        self.started_at = clock.utc_now()
        """The wall clock at the start."""
        self._started_monotonic = clock.monotonic()

    def start(self) -> None:
        """Note the time of the start."""
        self.started_at = self._clock.utc_now()
        self._started_monotonic = self._clock.monotonic()

    def next_start(self, target: PollTarget, started: float) -> float:
        """Return the next start of a target whose run ends now, in monotonic seconds.

        Args:
            target: the target.
            started: the start of that run.
        """
        finished = self._clock.monotonic()
        start = finished if target.poll_again else self._start(target, started, finished)
        return max(start, finished + target.retry_after_seconds)

    def _start(self, target: PollTarget, started: float, finished: float) -> float:
        poll, unit = target.poll, random.random()  # noqa: S311 - it spreads the polls
        if failures := self._cache.poll(poll.key).failures:
            return next_start(started, finished, interval_after(poll.cadence, failures), unit)
        # During an incident, the results that end it matter as much as trainings in progress.
        if target.hurried or self._incident_monitor.incident_over(poll) is not None:
            return next_start(started, finished, poll.cadence.interval, unit)
        start = next_start(started, finished, self._usual_interval(poll, self._presents()), unit)
        limit = self._after_limit(target, started)
        if limit is None or limit >= start:
            return start
        # A fresh poll follows each limit; the idle interval may be much longer.
        target.limit_polled_at = limit
        return max(limit, finished)

    def _after_limit(self, target: PollTarget, started: float) -> float | None:
        """Return when the next limit of a target's trainings has passed, in monotonic seconds; ``None`` without one.

        Limits take one poll an interval: those of many trainings would poll their list without a pause.
        """
        # After a step of the wall clock, the deadlines are those of the corrected clock, see ``ClockSteps``.
        poll, asked_at = target.poll, self._clock.utc_now() - timedelta(seconds=self._clock.monotonic() - started)
        deadlines = (earliest_deadline(self._cache, poll, asked_at), earliest_overdue(self._cache, poll, asked_at))
        deadline = min((time for time in deadlines if time is not None), default=None)
        if deadline is None:
            return None
        passed = started + (deadline - asked_at + AFTER_DEADLINE).total_seconds()
        before = target.limit_polled_at
        return passed if before is None else max(passed, before + poll.cadence.interval.total_seconds())

    def _usual_interval(self, poll: Poll, presents: Sequence[datetime]) -> timedelta:
        usual = min(interval_for(poll.cadence, self._cache.unsettled(poll), now) for now in presents)
        if not poll.cadence.adapts or usual != poll.cadence.interval:
            return usual
        in_progress = self._cache.in_progress(poll)
        running = [item for item in in_progress if any(needs_fast_polls(item, now) for now in presents)]
        if not running or any(needs_answer(item) for item in self._cache.unsettled(poll)):
            return usual
        return min(next_wait((_density_of(item, presents) for item in running), usual), poll.cadence.longest)

    def _presents(self) -> Sequence[datetime]:
        """Return the present; after a step of the wall clock also that of the clock of the start.

        A change before the step was noted by the one, a change after it by the other.
        """
        now, since_start = self._clock.utc_now(), self._clock.monotonic() - self._started_monotonic
        unstepped = self.started_at + timedelta(seconds=since_start)
        return (now,) if abs(now - unstepped) <= STEP else (now, unstepped)


def _density_of(snapshot: Snapshot, presents: Sequence[datetime]) -> tuple[Density | None, timedelta]:
    run = snapshot.run
    if run is None or run.start is None or run.limits is None or run.limits.prediction is None:
        return None, timedelta()
    began = run.start.bounds.middle
    elapsed = min((now - began for now in presents if now >= began), default=timedelta())
    return density_of(run.limits.prediction), elapsed
