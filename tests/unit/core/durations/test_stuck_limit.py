"""The duration after which a stage or a run may be stuck."""

from __future__ import annotations

from datetime import timedelta
from math import exp, log, sqrt
from random import Random
from statistics import fmean, stdev

import pytest

from watcher.core.durations.past_runs import Sample
from watcher.core.durations.stuck_limit import (
    StuckLevel,
    StuckLimit,
    learned_limit,
)

HOUR = timedelta(hours=1)
FEW = (3000.0, 3600.0, 3300.0, 3900.0, 3100.0)


def log_normal(runs: int, spread: float = 0.29, seed: int = 1) -> tuple[float, ...]:
    random = Random(seed)  # noqa: S311 - invented data
    return tuple(3600 * exp(random.gauss(0, spread)) for _ in range(runs))


def seconds_of(sample: Sample) -> float:
    return learned_limit(sample).first.total_seconds()


def test_the_limit_is_the_upper_one_of_the_prediction() -> None:
    logs = [log(value) for value in FEW]
    reach = (log(seconds_of(Sample(seconds=FEW))) - fmean(logs)) / (stdev(logs) * sqrt(1 + 1 / 5))
    # A table has 3.747 for 1 % and 4.604 for 0.5 %.
    assert 3.747 < reach < 4.0
    assert learned_limit(Sample(seconds=FEW)).runs == 5


def test_the_limit_is_at_least_beyond_the_longest_run() -> None:
    # Many equal runs and two long ones: the prediction alone is below the longest.
    seconds = (*[3600.0] * 48, 9000.0, 9100.0)
    assert seconds_of(Sample(seconds=seconds)) == pytest.approx(1.15 * 9100)


@pytest.mark.parametrize("seconds", [1.0, 30.0, 400.0])
def test_the_limit_is_at_least_ten_minutes(seconds: float) -> None:
    assert learned_limit(Sample(seconds=(seconds,) * 20)).first == timedelta(minutes=10)


@pytest.mark.parametrize("factor", [8, 50, 1000])
@pytest.mark.parametrize("place", [0, 15, 29])
def test_one_outlier_does_not_teach_and_two_do(factor: float, place: int) -> None:
    plain = log_normal(30)
    spoiled = (*plain[:place], plain[place] * factor, *plain[place + 1 :])
    twice = (*spoiled, plain[1] * factor)
    assert seconds_of(Sample(seconds=spoiled)) == pytest.approx(seconds_of(Sample(seconds=plain)), rel=0.1)
    assert seconds_of(Sample(seconds=twice)) > 1.149 * max(twice)


@pytest.mark.parametrize(
    ("hours", "level"),
    [
        (0, StuckLevel.NONE),
        (1.99, StuckLevel.NONE),
        (2, StuckLevel.FIRST),
        (5.99, StuckLevel.FIRST),
        (6, StuckLevel.SECOND),
        (100, StuckLevel.SECOND),
    ],
)
def test_the_second_level_is_three_times_the_limit(hours: float, level: StuckLevel) -> None:
    limit = StuckLimit(first=2 * HOUR)
    assert limit.level_after(hours * HOUR) is level
    assert [limit.of(StuckLevel.FIRST), limit.of(StuckLevel.SECOND)] == [2 * HOUR, 6 * HOUR]
    assert limit.runs is None
