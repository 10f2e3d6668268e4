"""Lines for people, and text from outside that is made safe to show."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.receivers.samples import hostile_text
from watcher.core.messages.text import (
    LIST_LIMIT,
    SHORT_SPAN,
    Bounds,
    Code,
    bounds_text,
    codes,
    cut,
    listed,
    one_line,
    plain_text,
    span_text,
    utc_text,
)

TIME = datetime(2026, 11, 23, 2, 20, 10, tzinfo=UTC)
times = st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - the zone follows


def test_a_line_without_markup_joins_its_pieces() -> None:
    bounds = Bounds(TIME, TIME + timedelta(seconds=5))
    line = ("is ", Code("x"), " at ", TIME, ", ", bounds)
    assert plain_text(line) == "is x at 2026-11-23 02:20:10 UTC, 2026-11-23 02:20:10 to 02:20:15 UTC"


@given(after=times, span=st.timedeltas(timedelta(), timedelta(days=40)))
def test_bounds_are_rounded_outwards_so_that_they_stay_true(after: datetime, span: timedelta) -> None:
    before = after + span
    bounds = Bounds.around(after, before)
    assert bounds.after <= after <= before <= bounds.before
    assert before - after <= bounds.before - bounds.after < span + timedelta(seconds=2)
    assert (bounds.after.microsecond, bounds.before.microsecond) == (0, 0)


def test_the_second_of_two_times_has_a_date_beyond_the_short_span() -> None:
    assert bounds_text(Bounds(TIME, TIME + SHORT_SPAN - timedelta(seconds=1))).count("-") == 2
    assert bounds_text(Bounds(TIME, TIME + SHORT_SPAN)) == "2026-11-23 02:20:10 to 2026-11-23 14:20:10 UTC"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (0.4, "0 s"),
        (59, "59 s"),
        (59.6, "1 min"),
        (61, "1 min 1 s"),
        (3_600, "1 h"),
        (12 * 3_600 + 3 * 60 + 9, "12 h 3 min"),
        (3_605, "1 h"),
        (3 * 86_400 + 7_200, "3 d 2 h"),
    ],
)
def test_a_span_is_written_in_its_two_largest_units(seconds: float, text: str) -> None:
    assert span_text(seconds) == text


def test_a_naive_time_is_rejected() -> None:
    with pytest.raises(ValueError, match="naive"):
        utc_text(datetime(2026, 11, 23))  # noqa: DTZ001 - the point of the test


def test_items_beyond_the_limit_of_a_list_are_counted() -> None:
    assert plain_text(codes(["a", "b"])) == "a, b"
    assert plain_text(codes(range(LIST_LIMIT + 3))).endswith("7… (cut, 3 more)")
    assert plain_text(listed([("a",), ("b",), ("c",)], "; ", most=2)) == "a; b… (cut, 1 more)"
    assert codes([]) == ()


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
