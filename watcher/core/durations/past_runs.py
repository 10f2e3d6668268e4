"""The past runs of a population, and those of them that teach: whole ones of its present level.

A population has one kind of duration: whole runs, or one stage. A stage has the outcome of its run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from math import exp, fsum, log, sqrt
from typing import Final

from watcher.core.durations.outliers import without_outlier
from watcher.core.durations.student_t import value_with
from watcher.core.timestamps import require_utc

FEWEST_RUNS: Final = 5
"""Nothing is said about a population with fewer completed runs."""
MANY_RUNS: Final = 10
"""From here on, quantiles are those of the runs; with fewer, those of a log-normal distribution."""
MOST_RUNS: Final = 50
LONGEST_AGO: Final = timedelta(days=180)
WIDEST_BOUNDS: Final = 0.1
"""The largest uncertainty of a run that teaches, as a share of its duration."""
LEAST_SPREAD: Final = 0.05
"""The smallest standard deviation of the logarithms; equal durations are no promise."""
OUTSIDE_LEVEL: Final = 0.01
"""The share on each side of the middle 98 %."""
RUNS_OF_NEW_LEVEL: Final = 5
"""So many runs in a row outside the middle 98 % of the earlier ones are a new level."""


class Outcome(StrEnum):
    """How a run ended."""

    COMPLETED = "completed"
    FAILED = "failed"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class Population:
    """Runs that resemble each other. Without a service: those of a type in the whole account."""

    account: str
    type: str
    service: str | None = None
    hpo: bool | None = None
    """Whether hyperparameters are optimised."""
    stage: str | None = None
    """The status of the stage; ``None`` for whole runs."""

    @property
    def wider(self) -> Population | None:
        """The population to fall back to; ``None`` where there is none."""
        return None if self.service is None else replace(self, service=None, hpo=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class PastRun:
    """A run, or a stage of one, that has ended."""

    ended_at: datetime
    """The middle of the bounds of its end, UTC."""
    duration: timedelta
    """From the middle of the bounds of its start to the middle of those of its end."""
    uncertainty: timedelta
    """The sum of the half widths of both bounds."""
    outcome: Outcome
    is_whole: bool = True
    """Whether the watcher polled it from its start to its end; not so where it was restored."""

    def __post_init__(self) -> None:
        require_utc(self.ended_at)

    @property
    def teaches(self) -> bool:
        """Whether its duration is known well enough to learn from."""
        if not self.is_whole or self.duration <= timedelta():
            return False
        return self.uncertainty <= self.duration * WIDEST_BOUNDS


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """The durations to learn from: 5 to 50 runs of the present level, the oldest first."""

    seconds: tuple[float, ...]
    level_since: datetime | None = None
    """The end of the first run of the present level; ``None`` where the level did not change."""

    @property
    def is_large(self) -> bool:
        """Whether it has enough runs for quantiles of its own."""
        return len(self.seconds) >= MANY_RUNS


def teaching(runs: Iterable[PastRun], now: datetime) -> list[PastRun]:
    """Return the runs of the last 180 days that teach, the oldest first."""
    found = [run for run in runs if run.teaches and now - run.ended_at <= LONGEST_AGO]
    return sorted(found, key=lambda run: run.ended_at)


def sample_of(runs: Iterable[PastRun], now: datetime, outcome: Outcome = Outcome.COMPLETED) -> Sample | None:
    """Return the durations of the runs with an outcome that count at present; ``None`` for fewer than 5."""
    # A change of level among the last 50 is recognised by the runs before it.
    known = [run for run in teaching(runs, now) if run.outcome is outcome][-2 * MOST_RUNS :]
    seconds = [run.duration.total_seconds() for run in known]
    if len(seconds) < FEWEST_RUNS:
        return None
    start = level_start(seconds)
    level_since = known[start].ended_at if start else None
    return Sample(seconds=tuple(seconds[start:][-MOST_RUNS:]), level_since=level_since)


def sample_for(
    population: Population, runs_of: Callable[[Population], Iterable[PastRun]], now: datetime
) -> tuple[Population, Sample] | None:
    """Return the durations of completed runs to learn from, and the population that has them.

    Args:
        population: The runs to know about. Where fewer than 5 of them count, the wider population is taken.
        runs_of: Returns the past runs of a population.
        now: The present time, UTC.

    Returns:
        ``None`` where the wider population has fewer than 5 as well.
    """
    sample = sample_of(runs_of(population), now)
    if sample is not None:
        return population, sample
    return None if population.wider is None else sample_for(population.wider, runs_of, now)


def level_start(seconds: Sequence[float]) -> int:
    """Return the index of the first duration of the present level, 0 where the level did not change."""
    start = 0
    for end in range(FEWEST_RUNS + RUNS_OF_NEW_LEVEL, len(seconds) + 1):
        start = next_level_start(seconds, start, end)
    return start


def next_level_start(seconds: Sequence[float], start: int, end: int) -> int:
    """Return the start of the level after the durations up to ``end``, of which those from ``start`` on counted."""
    first_new = end - RUNS_OF_NEW_LEVEL
    # To sort them again is cheap, and each quantile and median does.
    earlier = sorted(seconds[max(start, first_new - MOST_RUNS) : first_new])
    if len(earlier) < FEWEST_RUNS:
        return start
    # A run that hung and completed would hide each rise up to its own length.
    low, high = _middle(without_outlier(earlier))
    return start if any(low <= value <= high for value in seconds[first_new:end]) else first_new


def _middle(seconds: Sequence[float]) -> tuple[float, float]:
    """Return the bounds of the middle 98 %: of the durations, or of a prediction from a few."""
    if len(seconds) >= MANY_RUNS:
        return quantile(seconds, OUTSIDE_LEVEL), quantile(seconds, 1 - OUTSIDE_LEVEL)
    center, spread = logarithms(seconds)
    reach = value_with(OUTSIDE_LEVEL, len(seconds) - 1) * spread * sqrt(1 + 1 / len(seconds))
    return exp(center - reach), exp(center + reach)


def logarithms(seconds: Sequence[float]) -> tuple[float, float]:
    """Return the mean and the standard deviation of the logarithms, the latter at least 5 %; two values or more."""
    logs = [log(value) for value in seconds]
    mean = fsum(logs) / len(logs)
    variance = fsum((value - mean) ** 2 for value in logs) / (len(logs) - 1)
    return mean, max(sqrt(variance), LEAST_SPREAD)


def quantile(values: Iterable[float], share: float) -> float:
    """Return a quantile, interpolated between the two nearest values (type 7 of Hyndman and Fan)."""
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    below = int(place)
    if below + 1 == len(ordered):
        return ordered[below]
    return ordered[below] + (ordered[below + 1] - ordered[below]) * (place - below)
