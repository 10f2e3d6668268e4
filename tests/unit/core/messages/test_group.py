"""The message about several events."""

from __future__ import annotations

import unicodedata
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.receivers.samples import (
    CASES,
    GROUPS,
    OUTAGE,
    RECORDED,
    appeared,
    finished,
    hostile_events,
    of_version,
    sample_event,
)
from watcher.core.event import Event, Kind
from watcher.core.messages.group import GroupMessage, compose_group
from watcher.core.messages.text import LIST_LIMIT, WORD_LIMIT, Code, TextLine, plain_text
from watcher.core.messages.training import Severity


def lines(*events: Event) -> list[str]:
    return [plain_text(entry.full(": ")) for entry in compose_group(events, []).entries]


def notes(*events: Event) -> str:
    return "\n".join(plain_text(note) for note in compose_group(events, []).notes)


def test_late_changes_have_a_headline_about_the_catch_up() -> None:
    changes = [finished("a"), finished("b"), of_version("c", kind=Kind.GONE, to_status=None)]
    assert compose_group(changes, []).headline == "3 trainings changed, found when the watcher could poll again"


def test_a_new_training_is_not_called_changed() -> None:
    headline = compose_group([finished("a"), appeared("b")], []).headline
    assert headline == "2 trainings changed or new, found when the watcher could poll again"


def test_two_changes_of_one_training_are_not_counted_as_two_trainings() -> None:
    twice = [finished("a"), finished("a", seq=3)]
    assert compose_group(twice, []).headline.startswith("2 changes of 1 training found when ")
    assert compose_group([*twice, finished("b")], []).headline.startswith("3 changes of 2 trainings found when ")


def test_events_that_are_not_all_late_are_events_in_one_message() -> None:
    message = compose_group([finished("a"), finished("b", late=False)], [])
    assert message.headline == "2 events in one message"


def test_a_digest_of_one_flapping_training_counts_one_training() -> None:
    flapping = [of_version("a", seq=seq, late=False, group=None) for seq in range(11, 23)]
    assert compose_group(flapping, []).headline == "12 changes of 1 training in one message"


def test_each_event_has_its_path_its_bounds_and_its_marks_in_the_given_order() -> None:
    shown = lines(
        finished("b", confirmed=False),
        appeared("a"),
        of_version("c", kind=Kind.GONE, to_status=None, late=False),
        of_version("d", kind=Kind.BACK, from_status=None, to_status="waiting", late=False),
        of_version("e", kind=Kind.UNKNOWN_STATUS, to_status="paused"),
    )
    times = "(2026-11-23 02:19:40 to 02:20:10 UTC)"
    long_times = "(2026-11-22 12:20:11 to 2026-11-23 02:20:10 UTC)"
    assert shown == [
        f"🟢 shop-main · pop · b: requesting → (waiting, learning) → completed {long_times}, late, unconfirmed",
        f"🆕 shop-main · pop · a: first seen as waiting {times}, late, new",
        f"👻 shop-main · pop · c: learning → gone {times}",
        f"👋 shop-main · pop · d: back, recorded as waiting {times}",
        f"❓ shop-main · pop · e: learning → paused {times}, late, unknown status",
    ]


def test_bounds_are_rounded_outwards_so_that_they_stay_true() -> None:
    odd = timedelta(microseconds=1)
    (line,) = lines(of_version("a", after=RECORDED - timedelta(seconds=1) - odd, before=RECORDED + odd))
    assert "(2026-11-23 02:20:09 to 02:20:12 UTC)" in line


def test_only_marks_that_occur_are_explained() -> None:
    plain, late = of_version("a", late=False), finished("b", confirmed=False)
    assert notes(plain, plain) == "Each change happened between the two times beside it."
    assert "Late: " in notes(plain, late)
    assert "No poll returned the stages in brackets (their order is our reading)." in notes(plain, late)
    assert "Unconfirmed: " in notes(plain, late)


def test_the_highest_severity_is_that_of_the_message() -> None:
    assert compose_group([finished("a"), finished("b")], []).severity is Severity.OK
    assert compose_group([finished("a"), CASES["gone"]], []).severity is Severity.WARNING
    assert compose_group([sample_event(), finished("a")], []).severity is Severity.ERROR


def test_an_event_that_was_sent_separately_is_named_with_its_status() -> None:
    events, also = GROUPS["group-late"]
    named = plain_text(compose_group(events, also).sent_separately(LIST_LIMIT))
    assert named == (
        "Sent separately: shop-main · pop · maqll0fffff → learningFailed; shop-main · pop · maqll0ggggg → refinedFailed"
    )
    assert plain_text(compose_group(events, also[:1]).sent_separately(LIST_LIMIT)).startswith("Sent separately: ")


def test_without_separate_events_there_is_no_line_about_them() -> None:
    assert compose_group([finished("a"), finished("b")], []).sent_separately(LIST_LIMIT) == ()


def test_many_separate_events_are_counted() -> None:
    message = compose_group([finished("a"), finished("b")], [of_version(f"v{number}") for number in range(100)])
    assert plain_text(message.sent_separately(2)).endswith("v1 → learningFailed… (cut, 98 more)")
    assert plain_text(message.sent_separately(0)) == "100 more sent separately."


def test_the_origin_names_the_incident_and_all_event_ids() -> None:
    events = [finished("a"), finished("b")]
    below = plain_text(compose_group(events, []).origin)
    assert below == f"Incident {OUTAGE[:12]} · Events {events[0].short_id}, {events[1].short_id}"
    after_the_start = [finished(version, group="start 2026-11-23T02:20:11.000000Z") for version in "ab"]
    assert plain_text(compose_group(after_the_start, []).origin).startswith("Events evt_")


@pytest.mark.parametrize("case", sorted(CASES))
def test_every_kind_of_event_has_a_line_in_a_group(case: str) -> None:
    message = compose_group([CASES[case], finished("b")], [CASES[case]])
    full, short = plain_text(message.entries[0].full(": ")), plain_text(message.entries[0].short)
    named = plain_text(message.sent_separately(1))
    subject = plain_text(message.entries[0].subject)
    assert subject in full
    assert subject in short
    assert subject in named
    assert "(none)" not in full + short + named


def pieces(message: GroupMessage) -> list[object]:
    every: list[TextLine] = [
        message.title,
        message.repeat,
        message.origin,
        message.sent_separately(LIST_LIMIT),
        *message.notes,
    ]
    every += [line for entry in message.entries for line in (entry.full(": "), entry.short)]
    return [piece for line in every for piece in line]


@settings(deadline=None, max_examples=60)
@given(events=st.lists(hostile_events, min_size=2, max_size=5), also=st.lists(hostile_events, max_size=3))
def test_text_from_outside_stays_in_short_clean_code_pieces(events: list[Event], also: list[Event]) -> None:
    message = compose_group(events, also)
    assert len(message.entries) == len(events)
    for piece in pieces(message):
        text = piece.text if isinstance(piece, Code) else ""
        assert len(text) <= WORD_LIMIT
        assert all(unicodedata.category(character) not in {"Cc", "Cs", "Zl", "Zp"} for character in text)
        assert not isinstance(piece, Code) or text
