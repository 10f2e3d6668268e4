"""The duration of the next run, predicted from past ones, and its expected end."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from math import exp, log, sqrt
from typing import Final

from watcher.core.durations.outliers import without_outlier
from watcher.core.durations.past_runs import Sample, logarithms
from watcher.core.durations.student_t import share_above, value_with

RECENT_RUNS: Final = 12
"""The prediction is centred on the last runs, as durations grow slowly with the data."""
LONGEST: Final = timedelta(days=3650)
"""No prediction goes beyond; far out, the distribution has no useful bound."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """The distribution of the logarithm of the next duration: Student's t, moved and scaled."""

    center: float
    """The logarithm of the median in seconds."""
    spread: float
    """The scale, as a difference of logarithms."""
    degrees: int
    """The degrees of freedom: one less than the runs that count."""

    def share_longer_than(self, elapsed: timedelta) -> float:
        """Return the share of runs that take longer."""
        seconds = elapsed.total_seconds()
        return 1.0 if seconds <= 0 else share_above((log(seconds) - self.center) / self.spread, self.degrees)

    def seconds_exceeded_by(self, share: float) -> float:
        """Return the duration that a share of runs exceeds, in seconds, of ten years at most."""
        value = self.center + self.spread * value_with(share, self.degrees)
        return exp(min(value, log(LONGEST.total_seconds())))

    def duration_by(self, share: float, elapsed: timedelta = timedelta()) -> timedelta:
        """Return the duration within which a share of those runs ends that take longer than ``elapsed``."""
        beyond = (1 - share) * self.share_longer_than(elapsed)
        return max(elapsed, timedelta(seconds=self.seconds_exceeded_by(beyond)))


def prediction_of(sample: Sample) -> Prediction:
    """Return the prediction of the next duration: log-normal, with a mean and a spread that are estimates.

    The spread is widened for the uncertainty of the mean. That of the spread makes the distribution a Student's t.
    """
    seconds = without_outlier(sample.seconds)
    recent = seconds[-RECENT_RUNS:]
    _mean, spread = logarithms(seconds)
    center, _spread = logarithms(recent)
    return Prediction(center=center, spread=spread * sqrt(1 + 1 / len(recent)), degrees=len(seconds) - 1)
