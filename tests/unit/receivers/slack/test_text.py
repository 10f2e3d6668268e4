"""Slack's mrkdwn: escaping, cuts, times and shortened lines."""

from __future__ import annotations

import html
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.receivers.samples import hostile_text
from watcher.core.messages.text import Bounds, Code
from watcher.receivers.slack.text import BACKTICK_STAND_IN, date, escape, fit, join_lines, markup_free, mrkdwn, squeezed

TIME = datetime(2026, 11, 23, 2, 20, 10, tzinfo=UTC)
DATE = "<!date^1795400410^{date_short_pretty} {time_secs}|2026-11-23 02:20:10 UTC>"


def test_the_three_characters_are_escaped_exactly_once() -> None:
    assert escape("<!channel> & &amp; 'x' \"y\"") == "&lt;!channel&gt; &amp; &amp;amp; 'x' \"y\""


@given(text=hostile_text, limit=st.integers(0, 400))
def test_a_fitted_text_keeps_its_limit_after_escaping(text: str, limit: int) -> None:
    fitted = fit(text, limit)
    assert len(fitted) <= limit
    assert "<" not in fitted
    assert ">" not in fitted


def test_a_cut_never_splits_an_entity_or_a_character() -> None:
    for limit in range(20, 60):
        fitted = fit("&<>👩" * 50, limit)
        beginning = html.unescape(fitted.partition("…")[0])
        assert ("&<>👩" * 50).startswith(beginning)


def test_a_cut_text_says_how_much_is_missing() -> None:
    assert fit("x" * 100, 30) == "x" * 13 + "… (cut, 87 more)"


def test_a_time_is_shown_in_the_readers_zone_with_utc_as_fallback() -> None:
    assert date(TIME) == DATE


def test_texts_from_outside_are_in_code_style_without_backticks() -> None:
    assert (
        mrkdwn(("is ", Code("a `b` <c>"), " at ", TIME), 500)
        == f"is `a {BACKTICK_STAND_IN}b{BACKTICK_STAND_IN} &lt;c&gt;` at {DATE}"
    )


def test_without_markup_times_are_utc() -> None:
    assert markup_free(("at ", TIME), 500) == "at 2026-11-23 02:20:10 UTC"


@pytest.mark.parametrize("limit", range(120))
def test_a_rendered_line_has_valid_syntax_at_any_limit(limit: int) -> None:
    shown = mrkdwn(("is ", Code("a & b" * 5), " at ", TIME, "."), limit)
    assert len(shown) <= limit
    assert shown.count("`") % 2 == 0
    assert shown.count("<") == shown.count(">") == shown.count(DATE)


NAMES = ("🟢 ", Code("recommendations-of-the-main-shop"), " · ", Code("maqll0abc07"), " at ", TIME)


def test_a_line_that_fits_is_not_squeezed() -> None:
    assert squeezed(NAMES, 500, dates=True) == mrkdwn(NAMES, 500)
    assert squeezed(NAMES, 500, dates=False) == markup_free(NAMES, 500)


def test_a_squeezed_line_loses_the_readers_zone_first_and_then_the_middle_of_long_names() -> None:
    assert squeezed(NAMES, 90, dates=True) == (
        "🟢 `recommendations-of-the-main-shop` · `maqll0abc07` at 2026-11-23 02:20:10 UTC"
    )
    assert squeezed(NAMES, 75, dates=True) == "🟢 `recommendati…e-main-shop` · `maqll0abc07` at 2026-11-23 02:20:10 UTC"
    assert squeezed(NAMES, 53, dates=True) == "🟢 `rec…op` · `maq…07` at 2026-11-23 02:20:10 UTC"


def test_a_name_that_was_already_cut_keeps_its_beginning() -> None:
    assert squeezed((Code("abcdefghijkl… (cut, 1000 more)"),), 10, dates=False) == "`abcde…`"


@given(texts=st.lists(hostile_text, max_size=5), limit=st.integers(10, 400), dates=st.booleans())
def test_a_squeezed_line_keeps_its_limit_and_its_syntax(texts: list[str], limit: int, *, dates: bool) -> None:
    line = (*(piece for text in texts for piece in (Code(text), " · ")), Bounds(TIME, TIME))
    shown = squeezed(line, limit, dates=dates)
    assert len(shown) <= limit
    assert shown.count("`") % 2 == 0
    assert shown.count("<") == shown.count(">") == shown.count("<!date^")


def test_two_times_are_in_the_readers_zone_and_the_second_has_a_date_only_where_needed() -> None:
    near = Bounds(TIME, TIME + timedelta(seconds=5))
    far = Bounds(TIME, TIME + timedelta(hours=13))
    assert mrkdwn((near,), 500) == f"{DATE} to <!date^1795400415^{{time_secs}}|02:20:15 UTC>"
    assert mrkdwn((far,), 500) == f"{DATE} to {date(far.before)}"
    assert markup_free((near,), 500) == "2026-11-23 02:20:10 to 02:20:15 UTC"


def test_lines_that_do_not_fit_are_counted() -> None:
    assert join_lines(["a" * 20, "b" * 20, "c" * 20], 62) == "\n".join(["a" * 20, "b" * 20, "c" * 20])
    assert join_lines(["a" * 20, "b" * 20, "c" * 20], 61) == "\n".join(["a" * 20, "b" * 20, "… (cut, 1 more)"])
    assert join_lines(["a" * 20], 5) == ""
