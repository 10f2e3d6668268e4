"""How regularly the trainings of a service and type start, learned from their latest starts.

All times are UTC. A job that follows local time moves by an hour twice a year; that is within the spread below.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from itertools import pairwise
from math import fsum, sqrt
from typing import Final

from watcher.core.durations.current_run import Bounds
from watcher.core.durations.outliers import median
from watcher.core.durations.past_runs import WIDEST_BOUNDS

FEWEST_STARTS: Final = 6
MOST_INTERVALS: Final = 20
"""The latest intervals count."""
MOST_STARTS: Final = 30
"""So many are kept: those of an hourly job then last longer than ``SHORTEST_SPAN``."""
WIDEST_SPREAD: Final = 0.2
"""The coefficient of variation below which starts are regular."""
SHORTEST_SPAN: Final = timedelta(days=1)
"""Somebody who starts one training after another for an afternoon is no schedule."""
LONGEST_LEFT_OUT_FROM: Final = 15
"""From so many intervals on, the longest one does not count: one absence must not end the learning."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LearnedPeriod:
    """The usual time from one start to the next."""

    period: timedelta
    starts: int
    """The number of starts that it was learned from."""


@lru_cache(maxsize=1024)
def learned_period(starts: tuple[Bounds, ...]) -> LearnedPeriod | None:
    """Return the period of starts, given in their order; ``None`` where they are too few or not regular."""
    if len(starts) < FEWEST_STARTS or starts[-1].middle - starts[0].middle < SHORTEST_SPAN:
        return None
    seconds = _known_intervals(starts)[-MOST_INTERVALS:]
    if len(seconds) < FEWEST_STARTS - 1 or not _are_regular(seconds):
        return None
    return LearnedPeriod(period=timedelta(seconds=median(seconds)), starts=len(seconds) + 1)


def _known_intervals(starts: Sequence[Bounds]) -> list[float]:
    """Return the intervals in seconds, without those whose bounds an outage made wide."""
    pairs = ((later.middle - start.middle, later.half_width + start.half_width) for start, later in pairwise(starts))
    return [time.total_seconds() for time, error in pairs if error <= time * WIDEST_BOUNDS]


def _are_regular(seconds: Sequence[float]) -> bool:
    counted = sorted(seconds)[:-1] if len(seconds) >= LONGEST_LEFT_OUT_FROM else seconds
    mean = fsum(counted) / len(counted)
    deviation = sqrt(fsum((value - mean) ** 2 for value in counted) / len(counted))
    return mean > 0 and deviation < WIDEST_SPREAD * mean
