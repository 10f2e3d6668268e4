"""Lines that set a training beside earlier ones: duration, place in a row, last good version, settings."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.receivers.sample_facts import (
    ENDED,
    LAST_GOOD,
    bounds_ago,
    first_failure,
    first_success,
    minutes,
    plain_success,
    run_of,
    stuck_facts,
    third_failure,
    usual_facts,
)
from tests.unit.receivers.samples import COMPARED, HOSTILE, sample_event
from watcher.core.event import Event, Kind
from watcher.core.event_json import from_json, to_json
from watcher.core.messages.comparison import VALUE_LIMIT
from watcher.core.messages.groups.group import compose_group
from watcher.core.messages.language.english_times import english_age, english_ordinal, english_range
from watcher.core.messages.text import Code, plain_text
from watcher.core.messages.training import compose
from watcher.core.training.comparison import Comparison, OtherVersion, SettingChange

LONG_RUN = run_of(timedelta(hours=2, minutes=10))


def failed(comparison: Comparison | None = None, **changes: Any) -> Event:
    return sample_event(**({"run": LONG_RUN, "comparison": comparison} | changes))


def succeeded(comparison: Comparison | None = None, **changes: Any) -> Event:
    usual = {"kind": Kind.SUCCEEDED, "to_status": "completed", "run": run_of(minutes(54)), "comparison": comparison}
    return sample_event(**(usual | changes))


def facts_of(event: Event) -> list[str]:
    return [plain_text(line) for line in compose(event).facts]


def muted_of(event: Event) -> str:
    return plain_text(compose(event).muted)


def push_of(event: Event) -> list[str]:
    message = compose(event)
    return [plain_text(line) for line in (message.facts if message.preview is None else message.preview)]


def option(name: str, old: object = 1, new: object = 2) -> SettingChange:
    return SettingChange(option=name, old=old, new=new)


def test_a_third_failure_says_how_long_where_it_stands_and_what_changed() -> None:
    assert facts_of(failed(third_failure())) == [
        "learningFailed after 2 h 10 min (usually done in 48 to 61 min, 23 runs)",
        "3rd failure in a row · last good version maqkk9zzzzz, 2 days ago",
        "Changed since then: item_top_n 20000 → 50000 (possible cause, a guess)",
    ]


def test_a_first_failure_with_unchanged_settings_says_so_beside_the_guess() -> None:
    assert facts_of(failed(first_failure(), to_status="refinedFailed", run=run_of(minutes(4)))) == [
        "refinedFailed after 4 min",
        "1st failure after 41 good runs · last good version maqkz8yyyyy, 6 h ago",
        "Check the data set first (a guess): the settings are those of the last good version",
    ]


@pytest.mark.parametrize("kind", [Kind.FAILED, Kind.SUCCEEDED, Kind.PROGRESS])
def test_without_facts_a_message_is_as_before(kind: Kind) -> None:
    event = sample_event(kind=kind, run=LONG_RUN)
    assert compose(event) == compose(sample_event(kind=kind, run=LONG_RUN, comparison=Comparison()))
    assert not {"usually", "row", "good"} & set(" ".join([*facts_of(event), muted_of(event)]).split())


@pytest.mark.parametrize(
    ("usual", "shown"),
    [
        ({}, "(usually done in 48 to 61 min, 23 runs)"),
        ({"runs": 1}, "(usually done in 48 to 61 min, 1 run)"),
        ({"whole_account": True}, "(usually done in 48 to 61 min, 23 runs of this type in the account)"),
        ({"whole_account": True, "runs": 1}, "(usually done in 48 to 61 min, 1 run of this type in the account)"),
        (
            {"level_since": ENDED - timedelta(days=3), "runs": 5},
            "(usually done in 48 to 61 min since 2026-11-20 02:20 UTC, 5 runs)",
        ),
        ({"low": minutes(125), "high": minutes(190)}, "(usually done in 2 h 5 min to 3 h 10 min, 23 runs)"),
    ],
)
def test_a_usual_duration_names_its_runs_their_place_and_a_change_of_level(usual: dict[str, Any], shown: str) -> None:
    assert facts_of(failed(third_failure(usual=usual_facts(**usual))))[0] == f"learningFailed after 2 h 10 min {shown}"


@pytest.mark.parametrize("status", ["requestFailed", "refinedFailed"])
def test_an_early_failure_is_set_beside_failures_and_never_beside_completed_runs(status: str) -> None:
    soon = usual_facts(median=minutes(4), low=minutes(3), high=minutes(6), longest=minutes(7), runs=7)
    event = failed(third_failure(until_failure=soon), to_status=status, run=run_of(minutes(4)))
    assert facts_of(event)[0] == f"{status} after 4 min (failures usually after 3 to 6 min, 7 runs)"
    alone = failed(third_failure(), to_status=status, run=run_of(minutes(4)))
    assert facts_of(alone)[0] == f"{status} after 4 min"
    assert push_of(alone)[0] == "3rd failure in a row"
    assert [entry.usual for entry in compose_group([event, alone], []).entries] == ["", ""]


def test_a_failure_of_the_training_is_set_beside_failures_only_where_no_run_completed() -> None:
    soon = usual_facts(low=minutes(3), high=minutes(6), runs=7)
    event = failed(third_failure(usual=None, until_failure=soon, last_good=None))
    assert facts_of(event)[0] == "learningFailed after 2 h 10 min (failures usually after 3 to 6 min, 7 runs)"


def test_a_run_without_a_known_start_claims_no_duration() -> None:
    assert facts_of(failed(third_failure(), run=None))[0] == "learning → learningFailed"
    assert push_of(failed(third_failure(), run=None))[0] == "3rd failure in a row"
    assert "Took" not in muted_of(succeeded(plain_success(), run=None))


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"failures": 2}, "2nd failure in a row · last good version maqkk9zzzzz, 2 days ago"),
        ({"failures": 11}, "11th failure in a row · last good version maqkk9zzzzz, 2 days ago"),
        ({"failures": 22, "last_good": None}, "22nd failure in a row · no good version known"),
        (
            {"failures": 2, "last_good": OtherVersion(version="v0", ended=None)},
            "2nd failure in a row · last good version v0",
        ),
        ({"failures": 1, "successes": 1}, "1st failure after 1 good run · last good version maqkk9zzzzz, 2 days ago"),
        ({"failures": 1}, "Last good version maqkk9zzzzz, 2 days ago"),
    ],
)
def test_a_failure_names_its_place_and_the_last_good_version(changes: dict[str, Any], line: str) -> None:
    assert facts_of(failed(third_failure(**changes)))[1] == line


def test_a_first_failure_without_any_earlier_run_has_no_such_line() -> None:
    assert facts_of(failed(Comparison(failures=1))) == [
        "learningFailed after 2 h 10 min",
        "Check data and settings (a guess): AiTEMS gives no reason",
    ]


@pytest.mark.parametrize(
    ("ago", "shown"),
    [(timedelta(seconds=40), "40 s ago"), (timedelta(hours=23), "23 h ago"), (timedelta(days=1, hours=9), "1 day ago")],
)
def test_the_age_of_the_last_good_version_has_one_unit(ago: timedelta, shown: str) -> None:
    last = OtherVersion(version="v", ended=bounds_ago(ago - timedelta(seconds=15)))
    assert facts_of(failed(third_failure(last_good=last)))[1].endswith(shown)


@pytest.mark.parametrize(
    ("changes", "shown"),
    [
        ([option("a", None, 2)], "a not set → 2 (possible cause, a guess)"),
        ([option("a", old=True, new=None)], "a true → not set (possible cause, a guess)"),
        ([option("a"), option("b")], "a 1 → 2, b 1 → 2 (possible causes, a guess)"),
        ([option(c) for c in "abc"], "a 1 → 2, b 1 → 2, c 1 → 2 (possible causes, a guess)"),
        ([option(c) for c in "abcde"], "a 1 → 2, b 1 → 2, c 1 → 2 and 2 more (possible causes, a guess)"),
        ([option("loss", "a b", [1, 2.5])], "loss a b → [1, 2.5] (possible cause, a guess)"),
    ],
)
def test_changed_settings_are_a_guess_and_at_most_three_are_shown(changes: list[SettingChange], shown: str) -> None:
    line = facts_of(failed(third_failure(changes=tuple(changes))))[2]
    assert line == f"Changed since then: {shown}"


@pytest.mark.parametrize(
    ("status", "beginning"),
    [
        ("requestFailed", "Check the request first"),
        ("refinedFailed", "Check the data set first"),
        ("learningFailed", "Check the data first"),
    ],
)
def test_the_hint_of_each_class_says_that_the_settings_are_unchanged(status: str, beginning: str) -> None:
    line = facts_of(failed(third_failure(changes=()), to_status=status))[2]
    assert line == f"{beginning} (a guess): the settings are those of the last good version"


@pytest.mark.parametrize("changes", [{"compared_with": None}, {"last_good": None}])
def test_settings_that_are_not_known_are_not_called_unchanged(changes: dict[str, Any]) -> None:
    line = facts_of(failed(third_failure(changes=(), **changes)))[2]
    assert line == "Check data and settings (a guess): AiTEMS gives no reason"


@pytest.mark.parametrize("mark", [{"late": True}, {"restored": True}, {"confirmed": False}, {"fallback_for": "hook"}])
def test_a_mark_takes_the_place_of_the_guess(mark: dict[str, Any]) -> None:
    message = compose(failed(third_failure(), **mark))
    assert len(message.facts) == 2
    assert len(message.marks) == 1
    assert "guess" not in "".join(map(plain_text, message.facts))


@pytest.mark.parametrize("value", ["x" * 500, list(range(300)), {"a": "y" * 300}, 10**60, HOSTILE[0], HOSTILE[4]])
def test_a_value_of_a_setting_is_short_clean_and_in_code_style(value: object) -> None:
    line = compose(failed(third_failure(changes=(option("o", value),)))).facts[2]
    shown = [piece.text for piece in line if isinstance(piece, Code)]
    assert len(shown) == 2
    assert all(len(text) <= VALUE_LIMIT and text.isprintable() for text in shown)


@settings(deadline=None, max_examples=40)
@given(name=st.sampled_from(HOSTILE), value=st.sampled_from(HOSTILE), version=st.sampled_from(HOSTILE))
def test_no_text_from_outside_gets_into_our_own_words(name: str, value: str, version: str) -> None:
    def words(option_name: str, text: str, other: str) -> list[object]:
        last = OtherVersion(version=other, ended=LAST_GOOD.ended)
        change = SettingChange(option=option_name, old=text, new={text: [text]})
        message = compose(failed(third_failure(changes=(change,), last_good=last)))
        return [piece for line in message.facts for piece in line if isinstance(piece, str)]

    assert words(name, value, version) == words("o", "v", "w")


def test_a_success_after_failures_says_how_many_how_long_and_what_changed() -> None:
    event = succeeded(first_success())
    assert facts_of(event) == [
        "1st success after 3 failures · the last good version was 2 days old",
        "Took 54 min (usually 48 to 61 min, 23 runs)",
        "Changed since the last failure: item_top_n 50000 → 20000",
    ]
    assert "Took" not in muted_of(event)
    assert push_of(event) == ["1st success after 3 failures", "Took 54 min (usually 48 to 61 min)"]


@pytest.mark.parametrize(
    ("changes", "lines"),
    [
        (
            {"failures": 1, "last_good": None},
            ["1st success after 1 failure", "Took 54 min (usually 48 to 61 min, 23 runs)"],
        ),
        ({"usual": None}, ["1st success after 3 failures · the last good version was 2 days old", "Took 54 min"]),
    ],
)
def test_a_success_after_failures_leaves_out_facts_that_are_not_known(
    changes: dict[str, Any], lines: list[str]
) -> None:
    assert facts_of(succeeded(first_success(changes=(), **changes))) == lines


def test_a_success_after_failures_without_a_start_leaves_the_duration_out() -> None:
    assert facts_of(succeeded(first_success(changes=()), run=None)) == [
        "1st success after 3 failures · the last good version was 2 days old"
    ]


@pytest.mark.parametrize("case", sorted(COMPARED))
@pytest.mark.parametrize("mark", [{}, {"late": True}, {"restored": True}])
def test_a_message_with_one_mark_has_at_most_five_lines(case: str, mark: dict[str, Any]) -> None:
    message = compose(replace(COMPARED[case], **mark))
    assert len(message.facts) <= (2 if message.marks else 3)


def test_a_plain_success_stays_two_lines() -> None:
    event = succeeded(plain_success())
    assert facts_of(event) == []
    assert muted_of(event).startswith("Took 54 min (usually 48 to 61 min, 24 runs) · between")
    assert push_of(event) == ["Took 54 min (usually 48 to 61 min)"]
    assert push_of(succeeded()) == ["Took 54 min"]


@pytest.mark.parametrize("make", [failed, succeeded])
def test_an_end_after_a_report_of_stuck_says_when_that_was(make: Any) -> None:
    reported = stuck_facts(reported_at=ENDED - minutes(15))
    assert muted_of(make(stuck=reported)).count("eported as possibly stuck at 2026-11-23 02:05 UTC · ") == 1
    assert "stuck" not in muted_of(make(stuck=None))


@pytest.mark.parametrize(
    ("comparison", "push"),
    [
        (third_failure(), "3rd failure in a row, after 2 h 10 min (usually done in 48 to 61 min)"),
        (third_failure(usual=None), "3rd failure in a row"),
        (first_failure(), "learningFailed after 2 h 10 min (usually done in 48 to 61 min, 23 runs)"),
    ],
)
def test_a_phones_preview_begins_with_the_row_of_failures(comparison: Comparison, push: str) -> None:
    assert push_of(failed(comparison))[0] == push


def test_a_stored_event_gives_the_same_message() -> None:
    for event in (
        failed(third_failure()),
        succeeded(first_success()),
        sample_event(kind=Kind.STUCK, stuck=stuck_facts()),
    ):
        assert compose(from_json(json.loads(json.dumps(to_json(event))))) == compose(event)


@pytest.mark.parametrize(
    ("low", "high", "text"),
    [
        (2_880, 3_660, "48 to 61 min"),
        (2_939, 2_880, "48 min"),
        (5_280, 6_240, "88 to 104 min"),
        (7_200, 7_200, "120 min"),
        (7_200, 10_800, "2 to 3 h"),
        (6_000, 7_860, "1 h 40 min to 2 h 11 min"),
        (40, 375, "40 s to 6 min"),
        (10, 40, "10 to 40 s"),
        (0, 0, "0 s"),
        (86_400, 3 * 86_400, "1 day to 3 days"),
    ],
)
def test_a_range_names_its_unit_once_where_both_ends_have_it(low: float, high: float, text: str) -> None:
    assert english_range(low, high) == text


@given(low=st.floats(0, 1e8), width=st.floats(0, 1e8))
def test_any_range_has_a_short_text(low: float, width: float) -> None:
    assert 0 < len(english_range(low, low + width)) < 40


@pytest.mark.parametrize(
    ("seconds", "text"), [(-3, "0 s"), (59, "59 s"), (3_661, "1 h"), (2 * 86_400 + 7_200, "2 days")]
)
def test_an_age_has_its_largest_unit_only(seconds: float, text: str) -> None:
    assert english_age(seconds) == text


def test_ordinals() -> None:
    shown = [english_ordinal(number) for number in (1, 2, 3, 4, 10, 11, 12, 13, 20, 21, 22, 23, 101, 111, 113)]
    assert " ".join(shown) == "1st 2nd 3rd 4th 10th 11th 12th 13th 20th 21st 22nd 23rd 101st 111th 113th"
