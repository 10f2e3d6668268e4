"""The times of polls."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watcher.core.polling.schedule import Cadence, PollSchedule, first_start, interval_after, interval_for, next_start
from watcher.core.training.model import Snapshot, Source, TrainingRef, UnconfirmedStatus

NOW = datetime(2026, 11, 23, tzinfo=UTC)
CADENCE = Cadence(interval=timedelta(seconds=30), idle_interval=timedelta(minutes=5))
PENDING = UnconfirmedStatus(status="learning", asked_at=NOW, answered_at=NOW, source=Source.LIST)


def snapshot(status: str | None, *, age: timedelta = timedelta(), pending: UnconfirmedStatus | None = None) -> Snapshot:
    since = NOW - age
    ref = TrainingRef("main", "s", "pop", "v")
    return Snapshot(
        ref=ref, status=status, seen_after=since, first_seen_at=since, changed_before=since, pending=pending
    )


@pytest.mark.parametrize("status", ["requesting", "waiting", "learning", "stopping", "paused", None])
def test_a_training_in_progress_or_with_an_unknown_status_is_polled_fast(status: str | None) -> None:
    assert interval_for(CADENCE, [snapshot("completed"), snapshot(status)], NOW) == CADENCE.interval


@pytest.mark.parametrize("status", ["ready", "completed", "learningFailed", "requestFailed", "refinedFailed"])
def test_a_training_that_has_ended_is_polled_slowly(status: str) -> None:
    assert interval_for(CADENCE, [snapshot(status)], NOW) == CADENCE.idle_interval


def test_an_empty_service_is_polled_slowly() -> None:
    assert interval_for(CADENCE, [], NOW) == CADENCE.idle_interval


def test_a_status_that_waits_for_confirmation_is_polled_fast() -> None:
    assert interval_for(CADENCE, [snapshot("completed", pending=PENDING)], NOW) == CADENCE.interval


def test_the_fast_interval_ends_after_a_day_without_a_change() -> None:
    assert interval_for(CADENCE, [snapshot("waiting", age=timedelta(hours=23))], NOW) == CADENCE.interval
    assert interval_for(CADENCE, [snapshot("waiting", age=timedelta(hours=24))], NOW) == CADENCE.idle_interval


@given(st.floats(0, 1e6), st.floats(0, 100), st.floats(0, 1, exclude_max=True))
def test_a_poll_starts_within_its_interval_and_never_overlaps_the_last(
    started: float, took: float, unit: float
) -> None:
    start = next_start(started, started + took, CADENCE.interval, unit)
    assert start >= started + took
    assert start <= max(started + 30, started + took)


def test_first_polls_are_spread_within_their_interval() -> None:
    starts = [first_start(10.0, index, 4, timedelta(seconds=2)) for index in range(4)]
    assert starts == [10.0, 10.5, 11.0, 11.5]


@pytest.mark.parametrize(("count", "seconds"), [(10, 5), (1000, 5), (2000, 10), (100_000, 30)])
def test_many_first_polls_are_spread_over_more_of_their_interval(count: int, seconds: float) -> None:
    last = first_start(0.0, count - 1, count, timedelta(seconds=30))
    assert last == pytest.approx(seconds * (count - 1) / count)


def test_due_polls_come_out_earliest_first_and_once() -> None:
    schedule = PollSchedule()
    for key, start in [("b", 2.0), ("a", 1.0), ("c", 9.0)]:
        schedule.put(key, start)
    assert list(schedule.take_due(2.0)) == ["a", "b"]
    assert schedule.take_due(2.0) == {}


def test_a_new_start_replaces_the_earlier_one() -> None:
    schedule = PollSchedule()
    schedule.put("a", 1.0)
    schedule.put("a", 5.0)
    assert schedule.take_due(4.0) == {}
    assert list(schedule.take_due(5.0)) == ["a"]


@pytest.mark.parametrize(
    ("failures", "seconds"), [(1, 30), (3, 30), (4, 60), (5, 120), (6, 240), (7, 300), (100, 300), (10**6, 300)]
)
def test_failed_polls_are_repeated_ever_more_slowly_up_to_the_idle_interval(failures: int, seconds: int) -> None:
    assert interval_after(CADENCE, failures) == timedelta(seconds=seconds)


def test_a_start_can_be_brought_forward_but_not_delayed() -> None:
    schedule = PollSchedule()
    schedule.put("a", 9.0)
    schedule.bring_forward("a", 2.0)
    schedule.bring_forward("a", 5.0)
    schedule.bring_forward("unknown", 1.0)
    assert list(schedule.take_due(2.0)) == ["a"]
    assert schedule.take_due(99.0) == {}


def test_the_interval_after_failures_may_be_longer_than_the_idle_one() -> None:
    steady = Cadence(interval=timedelta(seconds=30), idle_interval=timedelta(seconds=30))
    patient = replace(steady, longest_after_failures=timedelta(minutes=5))
    assert [interval_after(patient, failures) for failures in (1, 3, 4, 5, 99)] == [
        timedelta(seconds=seconds) for seconds in (30, 30, 60, 120, 300)
    ]
    assert interval_after(steady, 99) == steady.interval
