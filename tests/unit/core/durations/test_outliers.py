"""Outliers among durations."""

from __future__ import annotations

from math import exp, log

import pytest

from watcher.core.durations.outliers import robust_limit, without_outlier

USUAL = [3400.0, 3600.0, 3700.0, 3500.0, 3900.0, 3300.0, 3600.0, 3800.0, 3650.0, 3550.0]


@pytest.mark.parametrize("place", [0, 5, 10])
@pytest.mark.parametrize("outlier", [15_000.0, 36_000.0, 1e7])
def test_a_single_outlier_is_left_out(place: int, outlier: float) -> None:
    assert without_outlier([*USUAL[:place], outlier, *USUAL[place:]]) == USUAL


@pytest.mark.parametrize("outliers", [2, 3, 9])
def test_several_outliers_are_a_habit(outliers: int) -> None:
    seconds = [*USUAL, *[36_000.0] * outliers]
    assert without_outlier(seconds) == seconds


@pytest.mark.parametrize("longest", [3900.0, 10_000.0, 14_000.0])
def test_a_long_run_is_no_outlier(longest: float) -> None:
    seconds = [*USUAL, longest]
    assert without_outlier(seconds) == seconds


@pytest.mark.parametrize("count", [1, 5, 8])
def test_few_runs_have_no_outlier(count: int) -> None:
    seconds = [*USUAL[:count], 1e6]
    assert without_outlier(seconds) == seconds


def test_durations_that_vary_widely_have_no_outlier() -> None:
    seconds = [10.0 * 2**number for number in range(12)]
    assert without_outlier(seconds) == seconds


def test_the_robust_limit_is_twice_the_median_at_least() -> None:
    assert robust_limit([100.0] * 9) == pytest.approx(200)
    assert robust_limit([100.0, 200.0, 400.0]) == pytest.approx(200 * exp(3 * 1.4826 * log(2)))
