from __future__ import annotations

import html
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.receivers.samples import hostile_text
from watcher.core.message import Code
from watcher.receivers.slack_text import BACKTICK_STAND_IN, date, escape, fit, join_lines, markup_free, mrkdwn

MOMENT = datetime(2026, 11, 23, 2, 20, 10, tzinfo=UTC)
DATE = "<!date^1795400410^{date_short_pretty} {time_secs}|2026-11-23 02:20:10 UTC>"


def test_the_three_characters_are_escaped_exactly_once() -> None:
    assert escape("<!channel> & &amp; 'x' \"y\"") == "&lt;!channel&gt; &amp; &amp;amp; 'x' \"y\""


@given(text=hostile_text, limit=st.integers(0, 400))
def test_a_fitted_text_keeps_to_its_limit_after_escaping(text: str, limit: int) -> None:
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


def test_a_time_is_shown_in_the_readers_zone_with_utc_to_fall_back_on() -> None:
    assert date(MOMENT) == DATE


def test_texts_from_outside_stand_in_code_style_without_backticks() -> None:
    assert (
        mrkdwn(("is ", Code("a `b` <c>"), " at ", MOMENT), 500)
        == f"is `a {BACKTICK_STAND_IN}b{BACKTICK_STAND_IN} &lt;c&gt;` at {DATE}"
    )


def test_without_markup_times_are_utc() -> None:
    assert markup_free(("at ", MOMENT), 500) == "at 2026-11-23 02:20:10 UTC"


@pytest.mark.parametrize("limit", range(120))
def test_a_rendered_line_is_whole_in_its_syntax_at_any_limit(limit: int) -> None:
    shown = mrkdwn(("is ", Code("a & b" * 5), " at ", MOMENT, "."), limit)
    assert len(shown) <= limit
    assert shown.count("`") % 2 == 0
    assert shown.count("<") == shown.count(">") == shown.count(DATE)


def test_lines_that_do_not_fit_are_counted() -> None:
    assert join_lines(["a" * 20, "b" * 20, "c" * 20], 62) == "\n".join(["a" * 20, "b" * 20, "c" * 20])
    assert join_lines(["a" * 20, "b" * 20, "c" * 20], 61) == "\n".join(["a" * 20, "b" * 20, "… (cut, 1 more)"])
    assert join_lines(["a" * 20], 5) == ""
