"""Axes have a few round marks, whatever they cover."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from watcher.drawing.axis import DURATION_MARKS, TIME_MARKS, DurationAxis, TimeAxis

NOON = datetime(2026, 11, 29, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("longest", "texts"),
    [
        (timedelta(seconds=4), ["0s", "1s", "2s", "3s", "4s"]),
        (timedelta(minutes=61), ["0s", "15m", "30m", "45m", "1h"]),
        (timedelta(hours=30), ["0s", "6h", "12h", "18h", "1d", "1d6h"]),
        (timedelta(days=4000), ["0s", "730d", "1460d", "2190d", "2920d", "3650d"]),
        (timedelta(), ["0s"]),
    ],
)
def test_durations_have_round_marks(longest: timedelta, texts: list[str]) -> None:
    axis = DurationAxis(longest, 0, 100)
    marks = axis.marks()
    assert [mark.text for mark in marks] == texts
    assert len(marks) <= DURATION_MARKS + 1
    assert axis.at(longest * 2) <= 100


@pytest.mark.parametrize("length", [timedelta(hours=1), timedelta(days=1), timedelta(days=90), timedelta(days=4000)])
@pytest.mark.parametrize("zone", ["UTC", "Asia/Seoul", "America/New_York"])
def test_times_have_round_local_marks(length: timedelta, zone: str) -> None:
    axis = TimeAxis(NOON - length, NOON, 0, 100, ZoneInfo(zone))
    marks = axis.marks()
    assert 2 <= len(marks) <= TIME_MARKS + 1
    assert all(0 <= mark.at <= 100 for mark in marks)
    assert len({mark.text for mark in marks}) == len(marks)


def test_a_time_outside_is_put_at_the_end_and_an_empty_axis_has_one_place() -> None:
    axis = TimeAxis(NOON, NOON, 10, 20, UTC)
    assert axis.at(NOON - timedelta(days=1)) == axis.at(NOON + timedelta(days=1)) == 10
