"""The phrases of messages, and how a language writes numbers, durations and times."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from string import Formatter
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support import paths
from watcher.core.delivery.reason import Context, ReasonCode, RefusalRemedy
from watcher.core.messages.language.english import ENGLISH
from watcher.core.messages.language.english_times import english_duration
from watcher.core.messages.language.phrases import Phrase
from watcher.core.messages.language.words import ENGLISH_WORDS, capital
from watcher.core.messages.text import Code, Minute, plain_text

SEOUL = ZoneInfo("Asia/Seoul")
NOW = datetime(2026, 11, 23, 2, 20, 11, tzinfo=UTC)
POLLING_AND_STORE = re.compile(
    "no_|still_|key_|permission|quota|throttled|request_refused|.*not_found|clock|answers|.*_found|cause_"
    "|store_|remedy_(?!parked|removed|retry)|was_(?!failing)|goes_on|mark_late"
)


def parameters(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name}


def test_every_phrase_has_a_text() -> None:
    assert set(ENGLISH) == set(Phrase)
    assert all(ENGLISH.values())


def test_every_phrase_is_used() -> None:
    sources = (path for path in (paths.ROOT / "watcher").rglob("*.py") if not path.name.startswith("english"))
    used = "\n".join(path.read_text() for path in sources)
    unused = {phrase.name for phrase in Phrase if f"Phrase.{phrase.name}" not in used}
    by_code = ("REASON_", "CONTEXT_", "REFUSAL_")
    assert {name for name in unused if not name.endswith("_ONE") and not name.startswith(by_code)} == set()


@pytest.mark.parametrize(
    ("prefix", "codes"), [("REASON_", ReasonCode), ("CONTEXT_", Context), ("REFUSAL_", RefusalRemedy)]
)
def test_every_code_of_a_reason_has_one_phrase(prefix: str, codes: type[StrEnum]) -> None:
    phrases = {phrase.name for phrase in Phrase if phrase.name.startswith(prefix)}
    assert phrases == {f"{prefix}{code.name}" for code in codes}


def test_a_phrase_about_one_thing_has_no_other_parameters_than_that_about_several() -> None:
    for phrase in Phrase:
        if phrase.endswith("_one") and phrase != Phrase.BATCH_OF_ONE:
            several = Phrase(phrase.removesuffix("_one"))
            assert parameters(ENGLISH[phrase]) <= parameters(ENGLISH[several]) | {"count"}


@pytest.mark.parametrize("phrase", [phrase for phrase in Phrase if POLLING_AND_STORE.match(phrase)])
def test_no_phrase_about_polling_or_the_store_suggests_a_failed_training(phrase: Phrase) -> None:
    assert "fail" not in ENGLISH[phrase].lower()


def test_a_value_from_outside_is_a_piece_of_its_own() -> None:
    line = ENGLISH_WORDS.say(Phrase.FAILED_AFTER, status=Code("{x} `y`"), duration="4 min")
    assert line == (Code("{x} `y`"), " after ", "4 min")


def test_a_name_between_backticks_stands_in_code_style() -> None:
    assert Code("base_url") in ENGLISH_WORDS.say(Phrase.REMEDY_DNS)
    assert "`" not in plain_text(ENGLISH_WORDS.say(Phrase.REMEDY_DNS))


def test_a_missing_parameter_is_a_fault() -> None:
    with pytest.raises(KeyError):
        ENGLISH_WORDS.say(Phrase.FAILED_AFTER)


@pytest.mark.parametrize(("count", "text"), [(0, "0 other changes"), (1, "1 other change"), (34, "34 other changes")])
def test_one_thing_has_a_phrase_of_its_own(count: int, text: str) -> None:
    assert plain_text(ENGLISH_WORDS.counted(Phrase.OTHER_CHANGES, count)) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "0 s"),
        (0.4, "0 s"),
        (59.9, "59 s"),
        (61, "1 min 1 s"),
        (3_600, "1 h"),
        (3_605, "1 h"),
        (12 * 3_600 + 3 * 60 + 9, "12 h 3 min"),
        (86_400, "1 day"),
        (3 * 86_400 + 7_200, "3 days 2 h"),
    ],
)
def test_a_duration_is_written_in_its_two_largest_units_rounded_down(seconds: float, text: str) -> None:
    assert english_duration(seconds) == text


@pytest.mark.parametrize(
    ("low", "high", "text"),
    [
        (7_770, 7_830, "2 h 10 min"),
        (2_580, 2_880, "43 min to 48 min"),
        (210, 270, "4 min"),
        (10, 40, "10 s to 40 s"),
        (6_660, 11_880, "1 h 51 min to 3 h 18 min"),
        (-30, 20, "0 s to 20 s"),
    ],
)
def test_a_duration_that_is_not_known_closely_is_a_range(low: float, high: float, text: str) -> None:
    assert ENGLISH_WORDS.span(low, high) == text


@given(low=st.floats(-100, 1e7), width=st.floats(0, 1e7))
def test_a_range_never_raises_and_is_never_empty(low: float, width: float) -> None:
    assert ENGLISH_WORDS.span(low, low + width)


@pytest.mark.parametrize(
    ("ago", "text"),
    [
        (timedelta(), "11:20:11"),
        (timedelta(hours=11), "00:20:11"),
        (timedelta(hours=13), "22 Nov 22:20:11"),
        (timedelta(hours=-13), "24 Nov 00:20:11"),
        (timedelta(days=400), "19 Oct 2025 11:20:11"),
    ],
)
def test_a_time_has_its_day_only_where_it_is_not_near_the_sending(ago: timedelta, text: str) -> None:
    assert ENGLISH_WORDS.time(NOW - ago, NOW, SEOUL) == text


def test_the_zone_is_named_once_after_the_last_time_of_the_first_line_with_one() -> None:
    lines = [("head",), ("from ", NOW, " to ", NOW, "!"), ("at ", NOW)]
    shown = [plain_text(line) for line in ENGLISH_WORDS.with_times(lines, NOW, SEOUL)]
    assert shown == ["head", "from 11:20:11 to 11:20:11 KST!", "at 11:20:11"]


def test_beside_a_time_with_its_day_each_other_one_of_the_line_has_its_day() -> None:
    lines = [("none since ", NOW - timedelta(days=1), "; expected by ", NOW), ("polled at ", NOW)]
    shown = [plain_text(line) for line in ENGLISH_WORDS.with_times(lines, NOW, SEOUL)]
    assert shown == ["none since 22 Nov 11:20:11; expected by 23 Nov 11:20:11 KST", "polled at 11:20:11"]


def test_a_time_to_the_minute_has_its_zone_and_its_day_like_any_other() -> None:
    lines = [("at ", Minute(NOW), " to ", Minute(NOW + timedelta(days=1))), ("at ", NOW)]
    shown = [plain_text(line) for line in ENGLISH_WORDS.with_times(lines, NOW, SEOUL)]
    assert shown == ["at 23 Nov 11:20 to 24 Nov 11:20 KST", "at 11:20:11"]
    assert plain_text((Minute(NOW),)) == "2026-11-23 02:20 UTC"


def test_a_line_begins_with_a_capital_letter_only_where_it_begins_with_our_words() -> None:
    assert capital(("between ", Code("x"))) == ("Between ", Code("x"))
    assert capital((Code("x"), " y")) == (Code("x"), " y")
    assert capital(()) == ()
