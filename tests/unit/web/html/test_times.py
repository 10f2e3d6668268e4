"""Times on pages: relative first, in units that compare."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from watcher.web.html.language.texts import Texts
from watcher.web.html.times import PageTimes, duration

NOW = datetime(2026, 11, 29, 8, 4, 12, tzinfo=UTC)
TIMES = PageTimes(NOW, Texts(), timezone(timedelta(hours=9), "KST"))


@pytest.mark.parametrize(
    ("length", "text"),
    [
        (timedelta(seconds=0), "0 s"),
        (timedelta(seconds=1.9), "1 s"),
        (timedelta(seconds=89.9), "89 s"),
        (timedelta(minutes=1.9), "1 min"),
        (timedelta(minutes=83), "83 min"),
        (timedelta(minutes=179), "179 min"),
        (timedelta(hours=3), "3 h"),
        (timedelta(hours=3, minutes=20), "3 h 20 min"),
        (timedelta(hours=3, minutes=20, seconds=50), "3 h 20 min"),
        (timedelta(hours=30, minutes=50), "30 h"),
        (timedelta(days=2, hours=5), "2 d 5 h"),
        (timedelta(days=9, hours=5), "9 d"),
    ],
)
def test_a_duration_has_the_unit_of_its_size_and_is_rounded_down_as_in_messages(length: timedelta, text: str) -> None:
    assert duration(length, Texts()) == text


def test_a_time_of_another_day_has_its_date_and_every_time_its_full_form() -> None:
    today, before = NOW - timedelta(minutes=66), NOW - timedelta(days=1)
    assert str(TIMES.clock(today)) == (
        '<time datetime="2026-11-29T06:58:12.000000Z" title="29 Nov 2026, 15:58:12 KST">15:58</time>'
    )
    assert str(TIMES.clock(before)).endswith(">28 Nov 17:04</time>")
    assert str(TIMES.age(today)).endswith(">66 min ago</time>")
    assert str(TIMES.age(NOW + timedelta(hours=4))).endswith(">in 4 h</time>")
    assert TIMES.zone_name == "KST (+09:00)"


@pytest.mark.parametrize(
    ("low", "high", "text"),
    [(0, 20, "17:04–17:24"), (400, 430, "23:44–30 Nov 00:14"), (430, 460, "30 Nov 00:14–00:44")],  # noqa: RUF001
)
def test_a_span_has_the_date_of_another_day_once(low: int, high: int, text: str) -> None:
    assert TIMES.span(NOW + timedelta(minutes=low), NOW + timedelta(minutes=high)).striptags() == text


@pytest.mark.parametrize(("seconds", "text"), [(0, "at "), (0.2, "at "), (30, "between ")])
def test_bounds_within_one_second_are_one_time(seconds: float, text: str) -> None:
    assert str(TIMES.bounds(NOW, NOW + timedelta(seconds=seconds))).startswith(text)
