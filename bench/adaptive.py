"""P9: the delay until an end is detected by ``interval = "auto"``, beside a fixed interval with as many requests."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from random import Random
from statistics import fmean
from typing import Final

from bench.figure import Figure, Yardstick
from bench.invented_runs import Draw, doubling, log_normal, two_humps
from watcher.core.durations.past_runs import Sample
from watcher.core.durations.prediction import prediction_of
from watcher.core.polling.adaptive import Density, density_of, next_wait

LEARNED: Final = 30
SERVICES: Final = 60
RUNS: Final = 25
SEED: Final = 9
POLLS: Final = 100
"""The polls of a median run at the fixed interval."""
CASES: Final[Sequence[tuple[str, Draw, float | None, float | None]]] = (
    ("variation 0.1", log_normal(0.1), 0.33, 0.20),
    ("variation 0.3", log_normal(0.3), 0.60, 0.50),
    ("variation 0.5", log_normal(0.5), 0.80, 0.71),
    ("variation 1.0", log_normal(1.0), 1.05, None),
    ("two humps, 1 of 2 takes 3 times", two_humps(0.5, 3), 0.85, None),
    ("a sudden doubling", doubling(0.3, LEARNED), 1.05, None),
)


def detection_figures(services: int = SERVICES) -> list[Figure]:
    """Return the mean delay of each population as a part of that of the fixed interval."""
    return [
        Figure(
            id="P9",
            name=f"mean delay until an end is detected, {name}",
            value=relative_delay(draw, services),
            unit="of a fixed interval",
            bar=bar,
            yardstick=None if limit is None else Yardstick("limit of the theory", limit),
        )
        for name, draw, bar, limit in CASES
    ]


def relative_delay(draw: Draw, services: int) -> float:
    """Return the mean delay at as many requests as a fixed interval would have used."""
    random = Random(SEED)  # noqa: S311 - a simulation
    delays: list[float] = []
    polls, spent = 0, 0.0
    for _service in range(services):
        sample = Sample(seconds=tuple(1000 * draw(random, number) for number in range(LEARNED)))
        density = density_of(prediction_of(sample))
        for number in range(LEARNED, LEARNED + RUNS):
            seconds = 1000 * draw(random, number)
            delay, asked = _detected(density, seconds, random)
            delays.append(delay)
            polls += asked
            spent += seconds + delay
    return fmean(delays) / (spent / polls / 2)


def _detected(density: Density, seconds: float, random: Random) -> tuple[float, int]:
    """Return the time from the end of a run to the next poll, and the number of polls."""
    interval = timedelta(seconds=1000 / POLLS)
    # The start was detected by a poll at an unknown time before.
    elapsed, polls = random.random() * interval.total_seconds(), 0
    while True:
        polls += 1
        if elapsed >= seconds:
            return elapsed - seconds, polls
        elapsed += next_wait([(density, timedelta(seconds=elapsed))], interval).total_seconds()
