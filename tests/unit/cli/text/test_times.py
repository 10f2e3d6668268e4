"""Times and ages as text."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.unit.reports.facts import NOW, snapshot
from watcher.cli.text.times import age_text, bounds_text, since_text


def test_bounds_are_rounded_outwards() -> None:
    tenth = timedelta(milliseconds=100)
    assert bounds_text(NOW + tenth, NOW + tenth) == "between 2026-11-23 02:20:11 and 02:20:12"


def test_bounds_on_two_days_name_both() -> None:
    text = bounds_text(NOW - timedelta(days=1), NOW)
    assert text == "between 2026-11-22 02:20:11 and 2026-11-23 02:20:11"


def test_a_baseline_has_only_an_upper_bound() -> None:
    assert since_text(snapshot()) == "before 2026-11-23 02:20:11"


def test_a_detected_change_has_bounds() -> None:
    moved = snapshot(changed_after=NOW - timedelta(seconds=30), changed_before=NOW)
    assert since_text(moved) == "between 2026-11-23 02:19:41 and 02:20:11"


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
