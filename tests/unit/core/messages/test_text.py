"""Lines for people, and text from outside that is made safe to show."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.receivers.samples import hostile_text
from watcher.core.messages.text import Code, Link, cut, in_reading_order, one_line, plain_text, rounded_bounds, utc_text

TIME = datetime(2026, 11, 23, 2, 20, 10, tzinfo=UTC)
times = st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - the zone follows


def test_a_line_without_markup_joins_its_pieces() -> None:
    line = ("is ", Code("x"), " at ", TIME, ", ", Link("Console", "https://x.example"))
    assert plain_text(line) == "is x at 2026-11-23 02:20:10 UTC, Console: https://x.example"


@given(after=times, span=st.timedeltas(timedelta(), timedelta(days=40)))
def test_bounds_are_rounded_outwards_so_that_they_stay_true(after: datetime, span: timedelta) -> None:
    before = after + span
    first, last = rounded_bounds(after, before)
    assert first <= after <= before <= last
    assert before - after <= last - first < span + timedelta(seconds=2)
    assert (first.microsecond, last.microsecond) == (0, 0)


def test_a_naive_time_is_rejected() -> None:
    with pytest.raises(ValueError, match="naive"):
        utc_text(datetime(2026, 11, 23))  # noqa: DTZ001 - the point of the test


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07text", "text"),
        ("\x1b]8;;https://x.example\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("a\x9b31mb\x00\x7f", "a31mb"),
        ("a\nb\r\nc\td\u2028e", "a b c d e"),
        ("\u202eabc\u202c", "abc"),
        ("zero\u200bwidth\ufeff", "zerowidth"),
        ("\ud800x", "\N{REPLACEMENT CHARACTER}x"),
        ("👩\u200d👧", "👩\u200d👧"),
        ("  a  ", "a"),
    ],
)
def test_text_from_outside_becomes_one_safe_line(raw: str, shown: str) -> None:
    assert one_line(raw, 100) == shown


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("\u202eabc\u2066", "abc"),
        ("a\n\tb\u2028", "a\n\tb\u2028"),
        ("\ud800x", "\ufffdx"),
        ("👩\u200d👧", "👩\u200d👧"),
    ],
)
def test_text_in_reading_order_keeps_its_lines(raw: str, shown: str) -> None:
    assert in_reading_order(raw) == shown


def test_a_long_text_is_cut_with_the_number_of_missing_characters() -> None:
    shown = one_line("x" * 1_000, 100)
    assert len(shown) <= 100
    assert shown == "x" * 82 + "… (cut, 918 more)"


def test_only_the_beginning_of_a_huge_text_is_read_and_all_of_it_is_counted() -> None:
    shown = one_line("x" * 5_000_000, 100)
    assert shown.endswith(f"… (cut, {5_000_000 - shown.count('x')} more)")


@given(text=hostile_text)
def test_a_cut_text_is_its_beginning_with_a_true_count(text: str) -> None:
    shown = cut(text, 100)
    beginning, _, count = shown.rpartition("… (cut, ")
    assert len(shown) <= 100
    assert shown == text or (text.startswith(beginning) and count == f"{len(text) - len(beginning)} more)")


@pytest.mark.parametrize("limit", [0, 1, 17])
def test_a_limit_shorter_than_the_note_is_kept(limit: int) -> None:
    assert len(cut("x" * 1_000, limit)) == limit
