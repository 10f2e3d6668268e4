"""Polls where an end is likely: their density follows the square root of the hazard of ending.

The source is the theory of optimal inspection (Barlow and Proschan; Keller 1974): of all schedules with as many polls,
this one has the shortest mean delay between an end and its detection.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from itertools import pairwise
from math import exp, log, sqrt
from typing import Final

from watcher.core.durations.prediction import Prediction

FLOOR_SHARE: Final = 0.08
"""The share of runs that may end at any time, whatever the earlier ones did: a sudden change, or a failure."""
FLOOR_BEYOND: Final = 0.002
"""The floor reaches to twice the duration that this share of runs exceeds."""
MOST_FREQUENT: Final = 6
"""Polls are at most so many times as frequent as those of a fixed interval."""
RAREST: Final = 10
"""Polls are at least this part of them."""
POINTS: Final = 160
STEPS: Final = 40
"""The halvings that find the scale."""
KEPT: Final = 512
"""Curves in memory; one takes ten milliseconds to compute, and 5 KiB. There are few more."""
SPREAD_STEP: Final = 0.1
"""Spreads that differ by less, as a share, have one curve: a sample of 50 runs does not know its own better."""
DEGREES_STEP: Final = 10
"""So have degrees of freedom that differ by less, from this number on."""
HOUR: Final = 3600.0


@dataclass(frozen=True, slots=True)
class Curve:
    """The density for runs whose median is an hour."""

    seconds: Sequence[float]
    """The beginnings of the parts, ascending from 0."""
    relative: Sequence[float]


@dataclass(frozen=True, slots=True)
class Density:
    """The polls of a run, by the time since its start, beside those of a fixed interval: 1 stands for as many."""

    curve: Curve
    scale: float
    """An hour as a part of the predicted median."""

    def at(self, elapsed_seconds: float) -> float:
        """Return the density after this time."""
        curve = self.curve
        return curve.relative[max(bisect_right(curve.seconds, elapsed_seconds * self.scale) - 1, 0)]


def density_of(prediction: Prediction) -> Density:
    """Return the density for a predicted duration; on average over runs it is 1.

    Predictions that differ a little have one curve: each run that ends changes that of its group.
    """
    degrees = prediction.degrees
    if degrees >= DEGREES_STEP:
        degrees = round(degrees / DEGREES_STEP) * DEGREES_STEP
    curve = _curve(round(log(prediction.spread) / SPREAD_STEP), degrees)
    return Density(curve=curve, scale=HOUR / exp(prediction.center))


@lru_cache(KEPT)
def _curve(spread_step: int, degrees: int) -> Curve:
    prediction = Prediction(center=log(HOUR), spread=exp(spread_step * SPREAD_STEP), degrees=degrees)
    seconds = _points(prediction)
    survival = [_survival(prediction, point, seconds[-1]) for point in seconds]
    widths = [end - begin for begin, end in pairwise(seconds)]
    alive = [(first + second) / 2 for first, second in pairwise(survival)]
    roots = [
        sqrt(max(first - second, 0.0) / (width * max(mean, 1e-12)))
        for (first, second), width, mean in zip(pairwise(survival), widths, alive, strict=True)
    ]
    # As many polls as at a fixed interval where runs end as predicted; the floor is for those that do not.
    predicted = [prediction.share_longer_than(timedelta(seconds=point)) for point in seconds]
    weights = [(first + second) / 2 * width for (first, second), width in zip(pairwise(predicted), widths, strict=True)]
    scale = _scale(roots, weights)
    relative = [_bounded(scale * root) for root in roots]
    # Beyond the last point nearly every run has ended.
    return Curve(array("d", seconds), array("d", (*relative, 1.0)))


def next_wait(densities: Iterable[tuple[Density | None, timedelta]], interval: timedelta) -> timedelta:
    """Return the time until the next poll of a list.

    Args:
        densities: For each training in progress its density, and the time since its start. Without a density, a
            training is polled at the fixed interval.
        interval: The fixed interval that has as many polls.
    """
    running = [(density, elapsed.total_seconds()) for density, elapsed in densities]
    base = interval.total_seconds()
    step, done, waited = base / MOST_FREQUENT, 0.0, 0.0
    while running and waited < base * RAREST:
        part = _together(running, waited + step / 2) * step / base
        if done + part >= 1.0:
            return timedelta(seconds=max(waited + step * (1.0 - done) / part, step))
        done, waited = done + part, waited + step
    return timedelta(seconds=waited) if running else interval


def _together(running: Iterable[tuple[Density | None, float]], ahead: float) -> float:
    """Return the density of the polls that serve several trainings: the root of the mean of the squares."""
    squares = [1.0 if density is None else density.at(elapsed + ahead) ** 2 for density, elapsed in running]
    return sqrt(sum(squares) / len(squares))


def _points(prediction: Prediction) -> list[float]:
    longest = 2 * prediction.seconds_exceeded_by(FLOOR_BEYOND)
    middle = exp(prediction.center)
    quantiles = [prediction.seconds_exceeded_by(1 - number / POINTS) for number in range(1, POINTS)]
    even = [longest * number / POINTS for number in range(POINTS + 1)]
    return sorted({0.0, middle, longest, *(point for point in quantiles if point < longest), *even})


def _survival(prediction: Prediction, seconds: float, longest: float) -> float:
    beyond = prediction.share_longer_than(timedelta(seconds=seconds))
    return (1 - FLOOR_SHARE) * beyond + FLOOR_SHARE * max(1 - seconds / longest, 0.0)


def _scale(roots: Sequence[float], weights: Sequence[float]) -> float:
    """Return the factor for which the bounded densities are 1 on average."""
    wanted, low, high = sum(weights), 0.0, 1.0
    while sum(weight * _bounded(high * root) for root, weight in zip(roots, weights, strict=True)) < wanted:
        high *= 2
    for _step in range(STEPS):
        middle = (low + high) / 2
        polls = sum(weight * _bounded(middle * root) for root, weight in zip(roots, weights, strict=True))
        low, high = (middle, high) if polls < wanted else (low, middle)
    return high


def _bounded(relative: float) -> float:
    return min(max(relative, 1 / RAREST), float(MOST_FREQUENT))
