"""The time from one poll of a target to the next."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from typing import Final

from watcher.core.polling.adaptive import Density, density_of, next_wait
from watcher.core.polling.plan import Poll
from watcher.core.polling.schedule import interval_after, interval_for, needs_answer, needs_fast_polls, next_start
from watcher.core.training.model import Snapshot
from watcher.pipeline.polling.cache import PollCache
from watcher.pipeline.polling.in_progress import earliest_deadline
from watcher.pipeline.polling.incidents import IncidentMonitor
from watcher.pipeline.polling.overdue import earliest_overdue
from watcher.pipeline.polling.targets import PollTarget
from watcher.pipeline.ports import Clock

AFTER_DEADLINE: Final = timedelta(seconds=1)
"""The wall clock may run a little behind the monotonic one, and the poll must not come before the limit."""


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
        start = next_start(started, finished, self._usual_interval(poll, self._steady(finished)), unit)
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
        poll, asked_at = target.poll, self._steady(started)
        deadlines = (earliest_deadline(self._cache, poll, asked_at), earliest_overdue(self._cache, poll, asked_at))
        deadline = min((time for time in deadlines if time is not None), default=None)
        if deadline is None:
            return None
        passed = started + (deadline - asked_at + AFTER_DEADLINE).total_seconds()
        before = target.limit_polled_at
        return passed if before is None else max(passed, before + poll.cadence.interval.total_seconds())

    def _usual_interval(self, poll: Poll, now: datetime) -> timedelta:
        usual = interval_for(poll.cadence, self._cache.known(poll).values(), now)
        if not poll.cadence.adapts or usual != poll.cadence.interval:
            return usual
        running = [item for item in self._cache.in_progress(poll) if needs_fast_polls(item, now)]
        if not running or any(needs_answer(item) for item in self._cache.known(poll).values()):
            return usual
        return min(next_wait((_density_of(item, now) for item in running), usual), poll.cadence.longest)

    def _steady(self, monotonic: float) -> datetime:
        """Return the start plus the monotonic time since: a step of the wall clock changes no interval."""
        return self.started_at + timedelta(seconds=monotonic - self._started_monotonic)


def _density_of(snapshot: Snapshot, now: datetime) -> tuple[Density | None, timedelta]:
    run = snapshot.run
    if run is None or run.start is None or run.limits is None or run.limits.prediction is None:
        return None, timedelta()
    return density_of(run.limits.prediction), max(now - run.start.bounds.middle, timedelta())
