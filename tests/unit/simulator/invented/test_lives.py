from __future__ import annotations

import random
from dataclasses import replace
from itertools import pairwise
from statistics import NormalDist
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watcher.core.training.model import is_final
from watcher.simulator.invented.draws import Draw, LogNormal
from watcher.simulator.invented.lives import Course, random_life, same_pace
from watcher.simulator.world import Life

seeds = st.integers(0, 10_000)
COURSE = Course(learning=LogNormal(1000.0), requesting=LogNormal(10.0), waiting=LogNormal(100.0))


def draws(seed: int) -> Draw:
    return random.Random(seed).random  # noqa: S311 - a made-up world needs no secrecy


def lives(course: Course, count: int = 300, factor: float = 1.0) -> list[Life]:
    draw = draws(0)
    return [random_life(draw, 7.0, course, factor) for _ in range(count)]


def statuses(life: Life) -> list[str | None]:
    return [step.status for step in life.steps]


def durations(life: Life) -> list[float]:
    return [later.after_seconds - earlier.after_seconds for earlier, later in pairwise(life.steps)]


@given(seeds)
def test_a_random_training_goes_from_its_request_to_a_final_status(seed: int) -> None:
    life = random_life(draws(seed), 7.0, replace(COURSE, failures=0.5))
    assert life.born_seconds == 7.0
    assert statuses(life)[0] == "requesting"
    ends = [is_final(status or "") for status in statuses(life)]
    assert ends == [False] * (len(ends) - 1) + [True]


def test_every_final_status_occurs_and_most_trainings_complete() -> None:
    ends = [statuses(life)[-1] for life in lives(same_pace(1.0), 1000)]
    assert set(ends) == {"completed", "learningFailed", "refinedFailed", "requestFailed"}
    assert 650 < ends.count("completed") < 850


@pytest.mark.parametrize(("variation", "share"), [(0.1, 0.5), (0.3, 0.5), (1.0, 0.5)])
def test_half_of_the_stages_are_longer_than_their_median(variation: float, share: float) -> None:
    course = replace(COURSE, learning=LogNormal(1000.0, variation))
    longer = [durations(life)[2] > 1000.0 for life in lives(course)]
    assert abs(sum(longer) / len(longer) - share) < 0.1


@pytest.mark.parametrize(
    ("number", "factor"), [(0.5, 1.0), (NormalDist().cdf(1), 1.3412), (NormalDist().cdf(-1), 0.7456)]
)
def test_a_duration_is_the_quantile_of_the_drawn_number(number: float, factor: float) -> None:
    """One standard deviation of the logarithm is the root of ln(1 + variation²), 0.2936 for 0.3."""
    assert LogNormal(60.0, 0.3).seconds(lambda: number) == pytest.approx(60.0 * factor, rel=1e-4)


def test_without_variation_every_duration_is_the_median() -> None:
    assert {LogNormal(60.0, 0.0).seconds(draws(seed)) for seed in range(5)} == {60.0}


def test_a_draw_of_zero_still_takes_time() -> None:
    assert LogNormal(0.01, 5.0).seconds(lambda: 0.0) == 0.001


@pytest.mark.parametrize(("median", "variation"), [(0.0, 0.3), (-1.0, 0.3), (1.0, -0.1), (float("inf"), 0.3)])
def test_an_impossible_distribution_is_refused(median: float, variation: float) -> None:
    with pytest.raises(ValueError, match=r"median is more than|variation is zero or more"):
        LogNormal(median, variation)


def test_a_hanging_training_stays_in_a_stage_for_ever() -> None:
    hanging = [statuses(life)[-1] for life in lives(replace(COURSE, hangs=1.0))]
    assert set(hanging) == {"requesting", "waiting", "learning"}


def test_a_hanging_training_may_end_much_later() -> None:
    prompt, late = lives(COURSE), lives(replace(COURSE, hangs=1.0, hang_seconds=9000.0))
    for usual, hanging in zip(prompt, late, strict=True):
        assert statuses(usual) == statuses(hanging)
        assert hanging.steps[-1].after_seconds == pytest.approx(usual.steps[-1].after_seconds + 9000.0)


def test_a_share_of_hanging_trainings_leaves_the_others_as_they_are() -> None:
    usual, some = lives(COURSE), lives(replace(COURSE, hangs=0.2))
    assert 30 < sum(one != other for one, other in zip(usual, some, strict=True)) < 90


def test_a_factor_stretches_learning_alone() -> None:
    for usual, slower in zip(lives(COURSE, 20), lives(COURSE, 20, factor=2.0), strict=True):
        requesting, waiting, learning = durations(usual)
        assert durations(slower) == pytest.approx([requesting, waiting, 2 * learning])


def test_a_result_may_come_later_than_the_end() -> None:
    (life,) = lives(replace(COURSE, result=LogNormal(500.0, 0.0)), 1)
    last, result = life.steps[-2:]
    assert (last.status, last.has_result, result.status, result.has_result) == ("completed", False, "completed", True)
    assert result.after_seconds - last.after_seconds == pytest.approx(500.0)


@pytest.mark.parametrize("result", [None, LogNormal(500.0)])
def test_a_result_may_never_come(result: LogNormal | None) -> None:
    found = lives(replace(COURSE, result=result, without_result=1.0), 5)
    assert all([step.has_result for step in life.steps] == [False] * 4 for life in found)


@pytest.mark.parametrize("shares", [{"failures": 1.5}, {"hangs": -0.1}, {"without_result": 2.0}])
def test_a_share_is_from_0_to_1(shares: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="a share is from 0 to 1"):
        replace(COURSE, **shares)
