"""Times and ages as text, in the local zone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest

from tests.unit.reports.facts import NOW, TIMES, snapshot
from watcher.cli.text.times import LocalTimes, age_text, duration_text, local_times, zone_of

SEOUL = ZoneInfo("Asia/Seoul")
DAY = timedelta(days=1)


def test_bounds_are_rounded_outwards() -> None:
    tenth = timedelta(milliseconds=100)
    assert TIMES.bounds(NOW + tenth, NOW + tenth) == "between 2026-11-23 02:20:11 and 02:20:12"


def test_bounds_on_two_days_name_both() -> None:
    assert TIMES.bounds(NOW - DAY, NOW) == "between 2026-11-22 02:20:11 and 2026-11-23 02:20:11"


def test_a_baseline_has_only_an_upper_bound() -> None:
    assert TIMES.since(snapshot()) == "before 2026-11-23 02:20:11"


def test_a_detected_change_has_bounds() -> None:
    moved = snapshot(changed_after=NOW - timedelta(seconds=30), changed_before=NOW)
    assert TIMES.since(moved) == "between 2026-11-23 02:19:41 and 02:20:11"


def test_a_narrow_table_leaves_out_the_date_of_today_and_the_year_of_this_year() -> None:
    times = LocalTimes(NOW, UTC)
    assert times.time(NOW) == "02:20:11"
    assert times.time(NOW - DAY) == "11-22 02:20:11"
    assert times.time(NOW - 365 * DAY) == "2025-11-23 02:20:11"
    assert times.since(snapshot()) == "before 02:20:11"
    assert times.bounds(NOW - timedelta(seconds=30), NOW) == "02:19:41-02:20:11"
    assert times.bounds(NOW - DAY, NOW - DAY) == "11-22 02:20:11-02:20:11"
    assert times.bounds(NOW - DAY, NOW) == "11-22 02:20:11 to 02:20:11"


def test_today_is_the_day_of_the_local_zone() -> None:
    evening = datetime(2026, 11, 23, 16, 0, tzinfo=UTC)
    assert LocalTimes(evening, SEOUL).time(evening - timedelta(hours=2)) == "11-23 23:00:00"
    assert LocalTimes(evening, UTC).time(evening - timedelta(hours=2)) == "14:00:00"


@pytest.mark.parametrize(
    ("zone", "heading", "full"),
    [
        (SEOUL, "SINCE (+09:00)", "2026-11-23 11:20:11 +09:00"),
        (ZoneInfo("America/St_Johns"), "SINCE (-03:30)", "2026-11-22 22:50:11 -03:30"),
        (ZoneInfo("Asia/Kathmandu"), "SINCE (+05:45)", "2026-11-23 08:05:11 +05:45"),
        (timezone(timedelta(0)), "SINCE (UTC)", "2026-11-23 02:20:11 UTC"),
    ],
)
def test_every_local_time_has_its_offset(zone: timezone, heading: str, full: str) -> None:
    times = LocalTimes(NOW, zone)
    assert times.heading("SINCE") == heading
    assert times.full(NOW) == full


def test_a_time_before_a_change_of_the_clocks_has_its_own_offset() -> None:
    times = LocalTimes(datetime(2026, 10, 25, 12, 0, tzinfo=UTC), ZoneInfo("Europe/Berlin"))
    assert times.heading("SINCE") == "SINCE (+01:00)"
    assert times.time(datetime(2026, 10, 25, 0, 30, tzinfo=UTC)) == "02:30:00 +02:00"
    assert times.time(datetime(2026, 10, 25, 1, 30, tzinfo=UTC)) == "02:30:00"


@pytest.mark.parametrize("name", ["Asia/Seoul", ":Asia/Seoul"])
def test_the_zone_is_that_of_tz(name: str) -> None:
    assert local_times({"TZ": name}, NOW).heading("WHEN") == "WHEN (+09:00)"


@pytest.mark.parametrize("name", ["", "KST-9", "No/Such_Zone", "/etc/localtime", "../etc/passwd", "Asia"])
def test_another_tz_is_left_to_the_machine(name: str) -> None:
    assert zone_of({"TZ": name}) is None
    assert zone_of({}) is None


@pytest.mark.parametrize(
    ("age", "text"),
    [
        (timedelta(seconds=-3), "0s ago"),
        (timedelta(milliseconds=1900), "1s ago"),
        (timedelta(seconds=119), "119s ago"),
        (timedelta(minutes=2), "2m ago"),
        (timedelta(minutes=119), "119m ago"),
        (timedelta(hours=47), "47h ago"),
        (timedelta(days=3, hours=5), "3d ago"),
    ],
)
def test_an_age_is_in_the_largest_unit_that_makes_two_or_more(age: timedelta, text: str) -> None:
    assert age_text(age) == text


@pytest.mark.parametrize(
    ("length", "text"),
    [
        (timedelta(seconds=-3), "0s"),
        (timedelta(milliseconds=1900), "1s"),
        (timedelta(seconds=45), "45s"),
        (timedelta(minutes=2), "2m"),
        (timedelta(minutes=2, seconds=9), "2m9s"),
        (timedelta(hours=2, minutes=10, seconds=7), "2h10m"),
        (timedelta(hours=2, seconds=7), "2h"),
        (timedelta(days=3, hours=5, minutes=9), "3d5h"),
    ],
)
def test_a_duration_is_in_its_two_largest_units(length: timedelta, text: str) -> None:
    assert duration_text(length) == text
