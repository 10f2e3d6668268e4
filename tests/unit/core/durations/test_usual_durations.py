"""How long runs usually take."""

from __future__ import annotations

from datetime import timedelta
from math import exp, log, sqrt
from statistics import fmean, stdev

import pytest

from tests.support.past_runs import NOW, past_run, past_runs
from watcher.core.durations.past_runs import Outcome, Sample
from watcher.core.durations.usual_durations import (
    StillRunning,
    UsualDurations,
    duration_until,
    is_fast,
    product_limit,
    until_completion,
    until_failure,
)

Z_90 = 1.2815515655446004
FEW = (2400.0, 3000.0, 3600.0, 3100.0, 2800.0)


def test_few_runs_are_described_by_a_log_normal_distribution() -> None:
    usual = until_completion(past_runs(FEW), NOW)
    logs = [log(value) for value in FEW]
    middle, reach = fmean(logs), Z_90 * stdev(logs)
    assert usual is not None
    found = [time.total_seconds() for time in (usual.low, usual.median, usual.high, usual.longest)]
    assert found == pytest.approx([exp(middle - reach), exp(middle), exp(middle + reach), 3600], rel=1e-8)
    assert (usual.runs, usual.level_since) == (5, None)


def test_ten_runs_are_described_by_their_own_quantiles() -> None:
    usual = until_completion(past_runs([float(value) for value in range(100, 200, 10)]), NOW)
    low, median, high, longest = (timedelta(seconds=value) for value in (109, 145, 181, 190))
    assert usual == UsualDurations(median=median, low=low, high=high, longest=longest, runs=10)


@pytest.mark.parametrize("count", [5, 9])
def test_equal_runs_have_a_spread_of_five_per_cent(count: int) -> None:
    usual = until_completion(past_runs([1000.0] * count), NOW)
    assert usual is not None
    assert usual.high.total_seconds() == pytest.approx(1000 * exp(Z_90 * 0.05))
    assert usual.low.total_seconds() == pytest.approx(1000 * exp(-Z_90 * 0.05))


def test_failed_runs_have_durations_of_their_own() -> None:
    failed, stopped = past_runs([60.0] * 5, Outcome.FAILED), past_runs([900.0] * 5, Outcome.STOPPED)
    usual = until_failure([*past_runs(FEW), *failed, *stopped], NOW)
    assert usual is not None
    assert (usual.median, usual.runs) == (timedelta(minutes=1), 5)
    assert until_failure([*past_runs(FEW), *failed[1:], *stopped], NOW) is None


@pytest.mark.parametrize(("runs", "seconds", "fast"), [(10, 49, True), (10, 51, False), (9, 1, False), (50, 10, True)])
def test_a_run_is_fast_below_half_of_the_fifth_percentile(runs: int, seconds: float, fast: bool) -> None:  # noqa: FBT001
    assert is_fast(Sample(seconds=(100.0,) * runs), timedelta(seconds=seconds)) is fast


def test_the_fifth_percentile_counts_rather_than_the_shortest_run() -> None:
    sample = Sample(seconds=(10.0, *[100.0] * 39))
    assert is_fast(sample, timedelta(seconds=40))
    assert not is_fast(Sample(seconds=tuple(range(100, 140))), timedelta(seconds=51))


def test_a_failed_run_counts_as_one_that_would_have_taken_longer() -> None:
    # The times of remission in weeks of the textbook example by Freireich; a plus marks a censored one.
    text = "6 6 6 6+ 7 9+ 10 10+ 11+ 13 16 17+ 19+ 20+ 22 23 25+ 32+ 32+ 34+ 35+"
    outcomes = {True: Outcome.STOPPED, False: Outcome.COMPLETED}
    runs = [past_run(float(word.rstrip("+")), outcome=outcomes["+" in word]) for word in text.split()]
    steps = product_limit(runs, NOW)
    found = {step.after.total_seconds(): round(step.share, 3) for step in steps}
    assert found == {6: 0.857, 7: 0.807, 10: 0.753, 13: 0.690, 16: 0.627, 22: 0.538, 23: 0.448}
    assert duration_until(steps, 0.5) == timedelta(seconds=23)
    assert duration_until(steps, 0.1) == timedelta(seconds=6)
    assert duration_until(steps, 0.9) is None


@pytest.mark.parametrize("completed", [0, 1, 4])
def test_there_is_no_estimate_of_completion_from_few_completed_runs(completed: int) -> None:
    runs = past_runs([100.0] * completed) + past_runs([50.0] * 20, Outcome.FAILED)
    assert (product_limit(runs, NOW), duration_until((), 0.5)) == ((), None)


def test_without_failures_the_estimate_is_the_share_of_longer_runs() -> None:
    steps = product_limit(past_runs([1.0, 2.0, 2.0, 3.0, 4.0]), NOW)
    expected = [(1, 0.8), (2, 0.4), (3, 0.2), (4, 0.0)]
    assert [(step.after.total_seconds(), round(step.share, 9)) for step in steps] == expected


def test_the_estimate_leaves_out_the_runs_of_an_earlier_level() -> None:
    steps = product_limit(past_runs([100.0] * 10 + [300.0] * 5), NOW)
    assert steps == (StillRunning(timedelta(seconds=300), 0.0),)


def test_the_spread_of_few_runs_is_that_of_a_sample() -> None:
    usual = until_completion(past_runs([1000.0, 2000.0] * 3), NOW)
    assert usual is not None
    assert usual.median.total_seconds() == pytest.approx(sqrt(2) * 1000)
