"""The density of polls: more where an end is likely, and as many in all as at a fixed interval."""

from __future__ import annotations

from datetime import timedelta
from math import exp, log
from typing import Final
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from watcher.core.durations.prediction import Prediction
from watcher.core.polling.adaptive import KEPT, MOST_FREQUENT, RAREST, density_of, next_wait

INTERVAL: Final = timedelta(seconds=30)
HOUR: Final = 3600.0
USUAL: Final = Prediction(center=log(HOUR), spread=0.1, degrees=29)


def waits(prediction: Prediction | None, seconds: float, others: int = 0) -> float:
    density = None if prediction is None else density_of(prediction)
    running = [(density, timedelta(seconds=seconds)), *[(None, timedelta())] * others]
    return next_wait(running, INTERVAL).total_seconds()


def test_polls_are_rare_before_the_usual_end_and_frequent_around_it() -> None:
    assert waits(USUAL, 60) > 90
    assert waits(USUAL, HOUR) < 15
    assert waits(USUAL, 0.7 * HOUR) > 60


@given(
    center=st.floats(log(1), log(1e6)), spread=st.floats(0.051, 3), degrees=st.integers(4, 49), part=st.floats(0, 20)
)
@settings(max_examples=40)
def test_a_wait_is_never_shorter_or_longer_than_its_limits(
    center: float, spread: float, degrees: int, part: float
) -> None:
    found = waits(Prediction(center=center, spread=spread, degrees=degrees), part * exp(center))
    assert 30 / MOST_FREQUENT <= found <= 30 * RAREST


@pytest.mark.parametrize("spread", [0.06, 0.3, 1.0])
def test_a_run_of_any_length_takes_about_as_many_polls_as_at_the_fixed_interval(spread: float) -> None:
    prediction = Prediction(center=log(HOUR), spread=spread, degrees=29)
    polls = spent = 0.0
    for number in range(1, 40):
        end, now = prediction.seconds_exceeded_by(number / 40), 0.0
        while now < end:
            now += waits(prediction, now)
            polls += 1
        spent += now
    assert 0.75 < polls * 30 / spent < 1.25


def test_predictions_that_differ_a_little_or_in_their_median_share_a_curve() -> None:
    usual = density_of(USUAL).curve
    slower = Prediction(center=log(3 * HOUR), spread=0.101, degrees=27)
    assert density_of(slower).curve is usual
    assert density_of(slower).at(3.03 * HOUR) == density_of(USUAL).at(1.01 * HOUR)
    assert density_of(Prediction(center=log(HOUR), spread=0.12, degrees=29)).curve is not usual
    assert density_of(Prediction(center=log(HOUR), spread=0.1, degrees=5)).curve is not usual


def test_a_thousand_groups_need_no_more_curves_than_are_kept() -> None:
    with mock.patch("watcher.core.polling.adaptive._curve") as curve:
        for number in range(1000):
            density_of(Prediction(center=log(HOUR), spread=0.06 + number / 1000, degrees=4 + number % 46))
    assert len({call.args for call in curve.call_args_list}) < KEPT


def test_without_earlier_runs_the_interval_is_the_fixed_one() -> None:
    assert waits(None, 0) == pytest.approx(30)
    assert next_wait([], INTERVAL) == INTERVAL


def test_trainings_of_one_list_share_its_polls() -> None:
    assert waits(USUAL, 60) > waits(USUAL, 60, others=1) > waits(USUAL, 60, others=9) > 30
    assert waits(USUAL, HOUR) < waits(USUAL, HOUR, others=1) < 30
