"""How long runs usually take: until they complete, until they fail, and whether one ended too early.

Durations are those of past runs; a few of them are described by a log-normal distribution.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from math import exp
from typing import Final

from watcher.core.durations.past_runs import (
    MOST_RUNS,
    Outcome,
    PastRun,
    Sample,
    logarithms,
    quantile,
    sample_of,
    teaching,
)

LOW: Final = 0.1
MEDIAN: Final = 0.5
HIGH: Final = 0.9
"""The middle 80 % lies between the low and the high one."""
FAST_SHARE: Final = 0.05
FAST_FACTOR: Final = 0.5
"""A run that takes less than this part of the 5th percentile is fast."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UsualDurations:
    """How long the runs of a population took."""

    median: timedelta
    low: timedelta
    """9 of 10 runs took longer."""
    high: timedelta
    """9 of 10 runs were shorter."""
    longest: timedelta
    runs: int
    """The number of runs that count, 5 to 50."""
    level_since: datetime | None = None
    """The end of the first run of the present level, where the level changed; earlier runs do not count."""


@dataclass(frozen=True, slots=True)
class StillRunning:
    """A step of the product-limit estimate: the share of runs that are not completed after a duration."""

    after: timedelta
    share: float


def usual_durations(sample: Sample) -> UsualDurations:
    """Return the usual durations of a sample."""
    return UsualDurations(
        median=_duration(sample, MEDIAN),
        low=_duration(sample, LOW),
        high=_duration(sample, HIGH),
        longest=timedelta(seconds=max(sample.seconds)),
        runs=len(sample.seconds),
        level_since=sample.level_since,
    )


def until_completion(runs: Iterable[PastRun], now: datetime) -> UsualDurations | None:
    """Return how long runs take until they complete; ``None`` for fewer than 5."""
    return _usual_with(runs, now, Outcome.COMPLETED)


def until_failure(runs: Iterable[PastRun], now: datetime) -> UsualDurations | None:
    """Return how long failed runs take until they fail; ``None`` for fewer than 5."""
    return _usual_with(runs, now, Outcome.FAILED)


def is_fast(sample: Sample, duration: timedelta) -> bool:
    """Return whether a completed run was unusually short; only earlier runs of 10 or more can say so."""
    return sample.is_large and duration.total_seconds() < FAST_FACTOR * quantile(sample.seconds, FAST_SHARE)


def product_limit(runs: Iterable[PastRun], now: datetime) -> tuple[StillRunning, ...]:
    """Return Kaplan and Meier's estimate of the share of runs that are not completed, by duration.

    A failed or stopped run counts as one that would have taken longer. There is a step for each duration of a completed
    run, the shortest first; none for fewer than 5 completed runs.
    """
    known = teaching(runs, now)
    sample = sample_of(known, now)
    if sample is None:
        return ()
    since = sample.level_since or known[0].ended_at
    counted = [run for run in known if run.ended_at >= since][-MOST_RUNS:]
    return tuple(_steps(sorted(counted, key=lambda run: run.duration)))


def duration_until(steps: Sequence[StillRunning], share: float) -> timedelta | None:
    """Return the duration after which a share of runs is completed; ``None`` where the estimate ends before."""
    return next((step.after for step in steps if step.share <= 1 - share), None)


def _steps(by_duration: Sequence[PastRun]) -> Iterable[StillRunning]:
    share, running = 1.0, len(by_duration)
    for duration, group in groupby(by_duration, key=lambda run: run.duration):
        ended = list(group)
        completed = sum(run.outcome is Outcome.COMPLETED for run in ended)
        if completed:
            share *= 1 - completed / running
            yield StillRunning(duration, share)
        running -= len(ended)


def _usual_with(runs: Iterable[PastRun], now: datetime, outcome: Outcome) -> UsualDurations | None:
    sample = sample_of(runs, now, outcome)
    return None if sample is None else usual_durations(sample)


def _duration(sample: Sample, share: float) -> timedelta:
    if sample.is_large:
        return timedelta(seconds=quantile(sample.seconds, share))
    from statistics import NormalDist  # noqa: PLC0415 - it loads much, and an idle daemon needs none of it

    center, spread = logarithms(sample.seconds)
    return timedelta(seconds=exp(NormalDist(center, spread).inv_cdf(share)))
