"""Slack's mrkdwn: escaping, cuts, times and shortened lines."""

from __future__ import annotations

import html
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.receivers.samples import hostile_text
from watcher.core.messages.language.words import ENGLISH_WORDS
from watcher.core.messages.text import Code, Link, Minute
from watcher.receivers.slack.text import (
    BACKTICK_STAND_IN,
    SlackTimes,
    escape,
    fit,
    join_lines,
    mrkdwn,
    preview_line,
    squeezed,
    text_line,
)

TIME = datetime(2026, 11, 23, 2, 20, 10, tzinfo=UTC)
DATE = "<!date^1795400410^{time_secs}|02:20:10 UTC>"
NOW = SlackTimes(now=TIME, zone=UTC, words=ENGLISH_WORDS)
LATER = SlackTimes(now=TIME + timedelta(days=2), zone=ZoneInfo("Asia/Seoul"), words=ENGLISH_WORDS)


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


def test_a_time_is_shown_in_the_readers_zone_and_its_day_only_where_it_is_not_near() -> None:
    assert NOW.token(TIME) == DATE
    assert LATER.token(TIME) == "<!date^1795400410^{date_short_pretty} {time_secs}|23 Nov 11:20:10 KST>"


def test_an_estimated_time_is_shown_to_the_minute() -> None:
    assert NOW.token(Minute(TIME)) == "<!date^1795400410^{time}|02:20 UTC>"
    assert LATER.token(Minute(TIME)) == "<!date^1795400410^{date_short_pretty} {time}|23 Nov 11:20 KST>"
    assert text_line(("about ", Minute(TIME)), 100, LATER) == "about 23 Nov 11:20 KST"


def test_texts_from_outside_are_in_code_style_without_backticks() -> None:
    assert (
        mrkdwn(("is ", Code("a `b` <c>"), " at ", TIME), 500, NOW)
        == f"is `a {BACKTICK_STAND_IN}b{BACKTICK_STAND_IN} &lt;c&gt;` at {DATE}"
    )


def test_in_text_alone_times_have_their_zone_and_links_stay_links() -> None:
    line = ("at ", TIME, " · ", Link("Con|sole", "https://x.example/?a=1&b=<c>|d"))
    assert text_line(line, 500, LATER) == (
        "at 23 Nov 11:20:10 KST · <https://x.example/?a=1&amp;b=%3Cc%3E%7Cd|Con sole>"
    )
    assert text_line(line, 40, LATER) == "at 23 Nov 11:20:10 KST · Con|sole"


def test_a_preview_has_no_markup_and_is_escaped_once() -> None:
    assert preview_line((Code("a <b> `c`"), " · ", Link("Console", "https://x.example")), 500) == (
        "a &lt;b&gt; `c` · Console"
    )


@pytest.mark.parametrize("limit", range(120))
def test_a_rendered_line_has_valid_syntax_at_any_limit(limit: int) -> None:
    shown = mrkdwn(("is ", Code("a & b" * 5), " at ", TIME, "."), limit, NOW)
    assert len(shown) <= limit
    assert shown.count("`") % 2 == 0
    assert shown.count("<") == shown.count(">") == shown.count(DATE)


NAMES = ("🟢 ", Code("recommendations-of-the-main-shop"), " · ", Code("maqll0abc07"), " at ", TIME)


def test_a_line_that_fits_is_not_squeezed() -> None:
    assert squeezed(NAMES, 500, NOW, dates=True) == mrkdwn(NAMES, 500, NOW)
    assert squeezed(NAMES, 500, NOW, dates=False) == text_line(NAMES, 500, NOW)


def test_a_squeezed_line_loses_the_readers_zone_first_and_then_the_middle_of_long_names() -> None:
    assert squeezed(NAMES, 75, NOW, dates=True) == (
        "🟢 `recommendations-of-the-main-shop` · `maqll0abc07` at 02:20:10 UTC"
    )
    assert squeezed(NAMES, 65, NOW, dates=True) == "🟢 `recommendati…e-main-shop` · `maqll0abc07` at 02:20:10 UTC"
    assert squeezed(NAMES, 42, NOW, dates=True) == "🟢 `rec…op` · `maq…07` at 02:20:10 UTC"


def test_a_name_that_was_already_cut_keeps_its_beginning() -> None:
    assert squeezed((Code("abcdefghijkl… (cut, 1000 more)"),), 10, NOW, dates=False) == "`abcde…`"


@given(texts=st.lists(hostile_text, max_size=5), limit=st.integers(10, 400), dates=st.booleans())
def test_a_squeezed_line_keeps_its_limit_and_its_syntax(texts: list[str], limit: int, *, dates: bool) -> None:
    line = (*(piece for text in texts for piece in (Code(text), " · ")), TIME)
    shown = squeezed(line, limit, NOW, dates=dates)
    assert len(shown) <= limit
    assert shown.count("`") % 2 == 0
    assert shown.count("<") == shown.count(">") == shown.count("<!date^")


def test_lines_that_do_not_fit_are_counted() -> None:
    assert join_lines(["a" * 20, "b" * 20, "c" * 20], 62) == "\n".join(["a" * 20, "b" * 20, "c" * 20])
    assert join_lines(["a" * 20, "b" * 20, "c" * 20], 61) == "\n".join(["a" * 20, "b" * 20, "… (cut, 1 more)"])
    assert join_lines(["a" * 20], 5) == ""
