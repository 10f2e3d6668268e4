"""The bars of the learned limit, in small; ``python -m bench.durations`` has the whole table."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from math import exp, log, sqrt
from random import Random
from statistics import median

import pytest

from watcher.core.durations.past_runs import FEWEST_RUNS, MOST_RUNS, Sample, next_level_start
from watcher.core.durations.stuck_limit import limit_seconds

Draw = Callable[[Random, int], float]


def log_normal(random: Random, number: int, variation: float) -> float:
    return exp(sqrt(log(1 + variation**2)) * random.gauss(0, 1))


def gamma(random: Random, number: int, variation: float) -> float:
    return random.gammavariate(variation**-2, variation**2)


def one_of_two_takes_thrice(random: Random, number: int) -> float:
    return log_normal(random, number, 0.15) * random.choice((1, 3))


def growing(random: Random, number: int) -> float:
    return log_normal(random, number, 0.3) * 1.005**number


def doubling(random: Random, number: int) -> float:
    return log_normal(random, number, 0.3) * (2 if number >= 40 else 1)


def alarms(draw: Draw, random: Random, runs: int) -> list[bool]:
    """Return whether each good run of a service is beyond the limit, from the sixth run on."""
    seconds: list[float] = []
    start, found = 0, []
    for number in range(runs):
        start = next_level_start(seconds, start, number)
        value = draw(random, number)
        if number - start >= FEWEST_RUNS:
            found.append(value > limit_seconds(Sample(seconds=tuple(seconds[start:][-MOST_RUNS:]))))
        seconds.append(value)
    return found


@pytest.mark.parametrize(
    "draw",
    [
        partial(log_normal, variation=0.1),
        partial(log_normal, variation=0.3),
        partial(log_normal, variation=1.0),
        partial(gamma, variation=0.3),
        partial(gamma, variation=1.0),
        one_of_two_takes_thrice,
        growing,
    ],
    ids=["log-normal 0.1", "log-normal 0.3", "log-normal 1.0", "gamma 0.3", "gamma 1.0", "two humps", "growth"],
)
def test_one_good_run_in_a_hundred_is_beyond_the_limit_at_most(draw: Draw) -> None:
    random = Random(7)  # noqa: S311 - invented data
    found = [alarm for _service in range(15) for alarm in alarms(draw, random, 100)]
    assert sum(found) <= 0.01 * len(found)


def test_a_sudden_doubling_raises_five_false_alarms_at_most() -> None:
    random = Random(7)  # noqa: S311 - invented data
    assert max(sum(alarms(doubling, random, 70)[-30:]) for _service in range(15)) <= 5


@pytest.mark.parametrize(("runs", "most"), [(5, 3.6), (30, 2.2)])
def test_a_hang_is_reported_at_a_small_multiple_of_the_median(runs: int, most: float) -> None:
    random = Random(12)  # noqa: S311 - invented data
    lives = [tuple(log_normal(random, number, 0.3) for number in range(runs)) for _service in range(400)]
    multiples = [limit_seconds(Sample(seconds=life)) for life in lives]
    assert 1.5 < median(multiples) <= most * median(value for life in lives for value in life)
