"""The delay until a change is detected, and whether a budget is enough."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watcher.core.polling.capacity import Delay, delay_of, demand_of, rounded_up

SECOND = timedelta(seconds=1)
DEADLINE = 10 * SECOND


def test_with_enough_budget_the_interval_alone_decides() -> None:
    demand = demand_of([30 * SECOND] * 3, 1.0)
    assert not demand.exceeds
    assert delay_of(30 * SECOND, DEADLINE, demand, by_list=False) == Delay(typical=15 * SECOND, worst=40 * SECOND)


def test_an_end_that_a_list_shows_may_wait_for_the_next_list() -> None:
    demand = demand_of([30 * SECOND], 1.0)
    assert delay_of(30 * SECOND, DEADLINE, demand, by_list=True) == Delay(typical=15 * SECOND, worst=70 * SECOND)


def test_with_too_many_polls_the_budget_sets_the_effective_interval() -> None:
    demand = demand_of([5 * SECOND] * 20, 0.5)
    assert demand.exceeds
    assert delay_of(5 * SECOND, DEADLINE, demand, by_list=False) == Delay(typical=20 * SECOND, worst=50 * SECOND)


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
