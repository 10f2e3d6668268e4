"""The past runs that teach, and the level of their durations."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from tests.support.past_runs import NOW, past_run, past_runs
from watcher.core.durations.past_runs import Outcome, PastRun, Population, Sample, quantile, sample_for, sample_of

HOUR = 3600.0
OWN = Population("main", "pop", "6wx", hpo=False)
TYPE = Population("main", "pop")
STEADY = (100.0, 104.0, 97.0, 101.0, 95.0, 103.0, 99.0, 102.0, 98.0, 96.0)


def seconds_of(runs: list[PastRun]) -> tuple[float, ...]:
    sample = sample_of(runs, NOW)
    return () if sample is None else sample.seconds


@pytest.mark.parametrize(
    ("seconds", "uncertainty", "teaches"),
    [(HOUR, 360, True), (HOUR, 361, False), (300, 30, True), (60, 30, False), (0, 0, False), (-5, 0, False)],
)
def test_a_run_teaches_whose_bounds_are_narrow(seconds: float, uncertainty: float, teaches: bool) -> None:  # noqa: FBT001
    assert past_run(seconds, uncertainty=timedelta(seconds=uncertainty)).teaches is teaches


def test_a_run_that_was_not_polled_from_start_to_end_does_not_teach() -> None:
    whole = past_run(HOUR)
    assert [whole.teaches, replace(whole, is_whole=False).teaches] == [True, False]


def test_a_run_needs_a_time_with_a_zone() -> None:
    with pytest.raises(ValueError, match="naive"):
        replace(past_run(1), ended_at=datetime(2026, 11, 29))  # noqa: DTZ001


@pytest.mark.parametrize(("count", "counted"), [(0, 0), (4, 0), (5, 5), (50, 50), (51, 50), (120, 50)])
def test_the_last_50_runs_count_and_fewer_than_5_are_nothing(count: int, counted: int) -> None:
    seconds = [100 + number % 7 for number in range(count)]
    assert seconds_of(past_runs(seconds)) == tuple(float(value) for value in seconds[-counted:] if counted)


def test_runs_that_do_not_teach_or_have_another_outcome_are_no_part_of_the_five() -> None:
    others = [
        past_run(100, outcome=Outcome.FAILED),
        past_run(100, outcome=Outcome.STOPPED),
        past_run(100, uncertainty=timedelta(seconds=11)),
        past_run(100, age=timedelta(days=181)),
    ]
    assert seconds_of(past_runs([100] * 4) + others) == ()
    assert seconds_of(past_runs([100] * 5) + others) == (100,) * 5


def test_the_order_of_the_runs_is_that_of_their_ends() -> None:
    runs = past_runs([100, 101, 102, 103, 104, 105])
    assert seconds_of(runs[::-1]) == seconds_of(runs) == (100, 101, 102, 103, 104, 105)


@pytest.mark.parametrize("earlier", [STEADY[:5], STEADY, STEADY * 4])
@pytest.mark.parametrize("factor", [0.5, 1.5, 3.0])
def test_after_five_runs_of_another_level_only_those_count(earlier: tuple[float, ...], factor: float) -> None:
    new = [factor * value for value in STEADY[:5]]
    before = sample_of(past_runs([*earlier, *new[:4]]), NOW)
    runs = past_runs([*earlier, *new])
    after = sample_of(runs, NOW)
    assert before is not None
    assert (before.seconds, before.level_since) == ((*earlier, *new[:4]), None)
    assert after == Sample(seconds=tuple(new), level_since=runs[-5].ended_at)


@pytest.mark.parametrize("outlier", [450.0, 900.0, 9000.0])
def test_an_outlier_among_the_earlier_runs_does_not_hide_a_new_level(outlier: float) -> None:
    new = [2 * value for value in STEADY[:5]]
    assert seconds_of(past_runs([*STEADY, outlier, *STEADY, *new])) == tuple(new)


def test_the_runs_of_a_new_level_gather_and_may_be_followed_by_another_level() -> None:
    twice, thrice = [2 * value for value in STEADY], [3 * value for value in STEADY]
    second = sample_of(past_runs([*STEADY, *twice]), NOW)
    third = sample_of(past_runs([*STEADY, *twice, *thrice]), NOW)
    assert second is not None
    assert third is not None
    assert (second.seconds, third.seconds) == (tuple(twice), tuple(thrice))


def test_a_level_of_many_runs_does_not_bring_the_old_one_back() -> None:
    sample = sample_of(past_runs([*STEADY * 5, *[2 * value for value in STEADY] * 5]), NOW)
    assert sample is not None
    assert len(sample.seconds) == 50
    assert min(sample.seconds) > 150


@pytest.mark.parametrize("back", [0, 2, 4])
def test_one_usual_run_among_five_others_keeps_the_level(back: int) -> None:
    new = [2 * value for value in STEADY[:5]]
    new[back] = 100.0
    sample = sample_of(past_runs([*STEADY, *new]), NOW)
    assert sample is not None
    assert sample.level_since is None


@pytest.mark.parametrize(
    ("values", "share", "value"),
    [([7.0], 0.9, 7), ([1.0, 2.0], 0.5, 1.5), ([3.0, 1.0, 2.0], 0, 1), ([3.0, 1.0, 2.0], 1, 3), ([4.0, 0.0], 0.25, 1)],
)
def test_a_quantile_lies_between_its_neighbours(values: list[float], share: float, value: float) -> None:
    assert quantile(values, share) == value


def test_the_population_wider_than_a_service_is_its_type_in_the_account() -> None:
    own = Population("main", "pop", "6wx", hpo=True, stage="learning")
    assert own.wider == Population("main", "pop", stage="learning")
    assert own.wider.wider is None


@pytest.mark.parametrize(("own", "same_type", "found"), [(5, 50, OWN), (4, 5, TYPE), (0, 10, TYPE), (4, 4, None)])
def test_a_service_with_few_runs_falls_back_to_its_type(own: int, same_type: int, found: Population | None) -> None:
    stored = {OWN: past_runs([100.0] * own), TYPE: past_runs([200.0] * same_type)}

    def runs_of(population: Population) -> list[PastRun]:
        return stored[population]

    known = sample_for(OWN, runs_of, NOW)
    assert (known and known[0]) == found
    assert known is None or known[1] == sample_of(stored[known[0]], NOW)
