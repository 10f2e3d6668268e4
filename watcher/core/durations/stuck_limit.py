"""The duration after which a stage or a run may be stuck: learned from its past runs, or configured.

docs/decisions/0015-durations.md compares the rule with others.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import IntEnum
from typing import Final

from watcher.core.durations.outliers import without_outlier
from watcher.core.durations.past_runs import Sample
from watcher.core.durations.prediction import prediction_of

SHARE_BEYOND: Final = 0.009
"""The share of good runs that the prediction puts beyond the limit."""
BEYOND_LONGEST: Final = 1.15
"""The limit is at least this multiple of the longest run that counts."""
SHORTEST_LIMIT: Final = timedelta(minutes=10)
SECOND_LEVEL: Final = 3
"""The second limit as a multiple of the first."""


class StuckLevel(IntEnum):
    """How far a stage or a run is beyond its limit."""

    NONE = 0
    FIRST = 1
    SECOND = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class StuckLimit:
    """The limits of a stage or of a whole run."""

    first: timedelta
    runs: int | None = None
    """The number of runs that it was learned from; ``None`` for a configured limit."""

    @property
    def second(self) -> timedelta:
        """The limit of the second level."""
        return self.first * SECOND_LEVEL

    def of(self, level: StuckLevel) -> timedelta:
        """Return the limit of a level."""
        return self.second if level is StuckLevel.SECOND else self.first

    def level_after(self, elapsed: timedelta) -> StuckLevel:
        """Return the level after a time in which AiTEMS could be polled."""
        if elapsed < self.first:
            return StuckLevel.NONE
        return StuckLevel.FIRST if elapsed < self.second else StuckLevel.SECOND


def learned_limit(sample: Sample) -> StuckLimit:
    """Return the limit of a stage or a run from its past runs.

    It is the upper 99.1 % limit of the prediction, and at least 1.15 times the longest run and ten minutes.
    """
    limit = timedelta(seconds=limit_seconds(sample))
    return StuckLimit(first=max(limit, SHORTEST_LIMIT), runs=len(sample.seconds))


def limit_seconds(sample: Sample) -> float:
    """Return the limit in seconds, which may be shorter than ten minutes."""
    beyond = prediction_of(sample).seconds_exceeded_by(SHARE_BEYOND)
    return max(beyond, BEYOND_LONGEST * max(without_outlier(sample.seconds)))
