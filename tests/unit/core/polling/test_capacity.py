"""The delay until a change is detected, and whether a budget is enough."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watcher.core.polling.capacity import Delay, delay_of, demand_of, new_service_delay, rounded_up
from watcher.core.polling.schedule import Cadence

SECOND = timedelta(seconds=1)
DEADLINE = 10 * SECOND


def cadence(seconds: int, idle: int = 300) -> Cadence:
    return Cadence(interval=seconds * SECOND, idle_interval=idle * SECOND)


def delay(typical: int, in_progress: int, worst: int) -> Delay:
    return Delay(typical=typical * SECOND, in_progress=in_progress * SECOND, worst=worst * SECOND)


def test_with_enough_budget_the_interval_alone_decides() -> None:
    demand = demand_of([30 * SECOND] * 3, 1.0)
    assert not demand.exceeds
    assert delay_of(cadence(30), DEADLINE, demand, by_list=False) == delay(15, 40, 310)


def test_an_end_that_a_list_shows_may_wait_for_the_next_list() -> None:
    demand = demand_of([30 * SECOND], 1.0)
    assert delay_of(cadence(30), DEADLINE, demand, by_list=True) == delay(15, 70, 340)


def test_with_too_many_polls_the_budget_sets_the_effective_interval() -> None:
    demand = demand_of([5 * SECOND] * 20, 0.5)
    assert demand.exceeds
    assert delay_of(cadence(5), DEADLINE, demand, by_list=False) == delay(20, 50, 310)
    assert delay_of(cadence(5, idle=10), DEADLINE, demand, by_list=False) == delay(20, 50, 50)


@pytest.mark.parametrize(
    ("interval", "idle", "by_list", "worst"),
    [(30, 3600, False, 3610), (30, 3600, True, 3640), (60, 60, False, 70), (60, 60, True, 130)],
)
def test_the_worst_delay_has_the_idle_interval(interval: int, idle: int, worst: int, *, by_list: bool) -> None:
    demand = demand_of([interval * SECOND], 1.0)
    found = delay_of(cadence(interval, idle), DEADLINE, demand, by_list=by_list)
    assert found.worst == worst * SECOND >= found.in_progress


def test_a_new_service_waits_for_the_list_of_services_and_its_own() -> None:
    assert new_service_delay(cadence(30, 600), DEADLINE, demand_of([30 * SECOND], 1.0)) == 620 * SECOND
    assert new_service_delay(cadence(5, 10), DEADLINE, demand_of([5 * SECOND] * 20, 0.5)) == 60 * SECOND


def test_a_budget_that_is_just_enough_is_enough() -> None:
    assert not demand_of([30 * SECOND] * 3, 0.1).exceeds
    assert demand_of([30 * SECOND] * 4, 0.1).exceeds


@given(
    st.lists(st.integers(1, 3600), min_size=1, max_size=50), st.floats(0.01, 100, allow_nan=False, allow_infinity=False)
)
def test_intervals_of_at_least_a_cycle_always_fit_the_budget(seconds: list[int], rate: float) -> None:
    intervals = [number * SECOND for number in seconds]
    cycle = rounded_up(demand_of(intervals, rate).cycle)
    assert not demand_of([max(interval, cycle) for interval in intervals], rate).exceeds


@pytest.mark.parametrize(
    ("exact", "shown"), [(0.01, 0.1), (0.1, 0.1), (2.31, 2.4), (9.99, 10), (10, 10), (10.2, 11), (90, 90)]
)
def test_durations_are_rounded_up_for_people(exact: float, shown: float) -> None:
    assert rounded_up(timedelta(seconds=exact)) == timedelta(seconds=shown)
