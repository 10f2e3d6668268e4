"""Outliers among durations: a run that hung and completed must not teach."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import exp, log
from typing import Final

FEWEST: Final = 10
"""Fewer durations do not show their spread, so none of them is an outlier."""
MADS: Final = 3 * 1.4826
"""Three standard deviations of a normal distribution, in median absolute deviations."""
LEAST_FACTOR: Final = 2
"""The robust limit is at least this multiple of the median."""
FAR_BEYOND: Final = 2
"""A duration longer than this multiple of the robust limit is an outlier."""


def without_outlier(seconds: Sequence[float]) -> Sequence[float]:
    """Return the durations without their only outlier; two of them are a habit, and stay."""
    if len(seconds) < FEWEST or max(seconds) <= FAR_BEYOND * LEAST_FACTOR * median(seconds):
        return seconds
    bound = FAR_BEYOND * robust_limit(seconds)
    kept = [value for value in seconds if value <= bound]
    return kept if len(kept) == len(seconds) - 1 else seconds


def robust_limit(seconds: Sequence[float]) -> float:
    """Return a limit that outliers do not move: three robust standard deviations, twice the median at least."""
    logs = [log(value) for value in seconds]
    middle = median(logs)
    deviation = median(abs(value - middle) for value in logs)
    return exp(middle + max(MADS * deviation, log(LEAST_FACTOR)))


def median(values: Iterable[float]) -> float:
    """Return the middle value, or the mean of the two in the middle."""
    # The module `statistics` loads much, and an idle daemon needs none of it.
    ordered = sorted(values)
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2
