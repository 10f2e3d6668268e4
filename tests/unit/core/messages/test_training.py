"""The message about one event."""

from __future__ import annotations

import unicodedata
from datetime import timedelta

import pytest
from hypothesis import given, settings

from tests.support.event_facts import incident_of
from tests.unit.receivers.samples import (
    CASES,
    HOSTILE,
    RECORDED,
    hostile_events,
    sample_event,
)
from watcher.core.event import Event, Kind
from watcher.core.messages.text import LIST_LIMIT, WORD_LIMIT, Code, TextLine, plain_text
from watcher.core.messages.training import DESCRIPTION_LIMIT, Message, Severity, compose, repeat_note


def text_of(event: Event) -> str:
    message = compose(event)
    return "\n".join(plain_text(line) for line in (message.title, *message.lines))


def facts(event: Event) -> dict[str, str]:
    return {fact.label: plain_text(fact.value) for fact in compose(event).facts}


def pieces(message: Message) -> list[object]:
    lines: list[TextLine] = [message.title, *message.lines, *(fact.value for fact in message.facts)]
    return [piece for line in lines for piece in line]


@pytest.mark.parametrize("kind", list(Kind))
def test_every_kind_has_its_own_headline_and_emoji(kind: Kind) -> None:
    message = compose(sample_event(kind=kind))
    others = [compose(sample_event(kind=other)) for other in Kind if other is not kind]
    assert message.headline not in {other.headline for other in others}
    assert message.emoji not in {other.emoji for other in others}


def test_a_failure_is_an_error_and_a_success_is_not() -> None:
    assert compose(sample_event()).severity is Severity.ERROR
    assert compose(sample_event(kind=Kind.SUCCEEDED)).severity is Severity.OK
    assert compose(sample_event(kind=Kind.UNKNOWN_STATUS)).severity is Severity.WARNING


@pytest.mark.parametrize(
    ("status", "headline"),
    [
        ("requestFailed", "Training request failed"),
        ("refinedFailed", "Data refinement failed"),
        ("learningFailed", "Training failed"),
    ],
)
def test_the_three_failures_have_different_headlines(status: str, headline: str) -> None:
    assert compose(sample_event(to_status=status)).headline == headline


def test_the_title_names_the_training_by_the_services_name_or_its_id() -> None:
    named = compose(sample_event(service_name="shop-main"))
    nameless = compose(sample_event(service_name=None))
    assert plain_text(named.title) == "Training failed: shop-main · pop · maqll0abcde"
    assert plain_text(nameless.title) == "Training failed: 6wxgu1abcde · pop · maqll0abcde"


def test_the_change_is_an_arrow_between_the_two_statuses() -> None:
    assert "failed: learning → learningFailed" in text_of(sample_event())


def test_a_training_that_was_not_known_is_first_seen() -> None:
    assert "failed: first seen as learningFailed" in text_of(sample_event(from_status=None, new=True))


def test_the_time_of_a_change_is_shown_as_bounds() -> None:
    text = text_of(sample_event())
    assert "Changed between 2026-11-23 02:19:40 UTC and 2026-11-23 02:20:10 UTC." in text


def test_bounds_are_rounded_outwards_so_that_they_stay_true() -> None:
    event = sample_event(
        after=RECORDED - timedelta(seconds=31, microseconds=-900_000),
        before=RECORDED - timedelta(microseconds=1),
    )
    assert "between 2026-11-23 02:19:40 UTC and 2026-11-23 02:20:11 UTC" in text_of(event)


def test_a_late_change_says_that_the_watcher_could_not_poll() -> None:
    assert "could not poll" in text_of(sample_event(late=True))
    assert "could not poll" not in text_of(sample_event(late=False))


def test_skipped_stages_are_named_with_their_order_as_our_reading() -> None:
    text = text_of(sample_event(skipped=("waiting", "learning")))
    assert "No poll returned the stages between: waiting, learning" in text
    assert "our reading" in text
    assert "No poll" not in text_of(sample_event(skipped=()))


def test_an_unconfirmed_end_is_called_unconfirmed() -> None:
    assert "Unconfirmed" in text_of(sample_event(confirmed=False))
    assert "Unconfirmed" not in text_of(sample_event(confirmed=True))


def test_a_new_version_is_called_new() -> None:
    assert "New: this version was not known before." in text_of(sample_event(new=True, from_status=None))
    assert "New:" not in text_of(sample_event(new=False))


def test_an_undocumented_status_is_shown_as_aitems_wrote_it() -> None:
    text = text_of(sample_event(kind=Kind.UNKNOWN_STATUS, to_status="Paused (2)"))
    assert "learning → Paused (2)" in text
    assert "AiTEMS does not document the status Paused (2)." in text


@pytest.mark.parametrize(
    ("settings_of_hpo", "shown"),
    [
        ({"is_enabled": True, "item_top_n": 5}, "on"),
        ({"is_enabled": False}, "off"),
        ({}, "not given"),
        (None, "not given"),
        ("odd", "odd"),
        ({"is_enabled": "true"}, "true"),
        ([1], "(not a plain value)"),
    ],
)
def test_hpo_is_on_off_or_as_aitems_wrote_it(settings_of_hpo: object, shown: str) -> None:
    assert facts(sample_event(record={"hpConfig": settings_of_hpo}))["HPO"] == shown


def test_the_created_date_is_shown_with_its_zone_unknown() -> None:
    created = facts(sample_event())["Created"]
    assert created == "2026-11-23T09:14:07.031 as AiTEMS gave it (zone unknown)"
    assert "Created" not in facts(sample_event(record={}))


def test_labels_and_description_are_facts_below_the_lines() -> None:
    shown = facts(sample_event(labels={"team": "search", "env": "prod"}, record={"description": "weekly"}))
    assert shown["Labels"] == "team=search, env=prod"
    assert shown["Description"] == "weekly"


def test_labels_beyond_the_limit_are_counted() -> None:
    labels = {f"label-{number}": "x" for number in range(LIST_LIMIT + 3)}
    assert facts(sample_event(labels=labels))["Labels"].endswith("label-7=x… (cut, 3 more)")


def test_a_training_that_is_gone_has_its_last_status_and_its_bounds() -> None:
    text = text_of(CASES["gone"])
    assert "Training gone: shop-main · pop · maqll0abcde" in text
    assert "gone: was learning; two polls in a row did not find it." in text
    assert "Disappeared between 2026-11-23 02:15:11 UTC and 2026-11-23 02:20:10 UTC." in text
    assert "AiTEMS gives no reason." in text


def test_a_training_that_is_back_has_its_recorded_status_alone() -> None:
    text = text_of(CASES["back"])
    assert "back: found again; its recorded status is learning." in text
    assert "Came back between 2026-11-23 00:20:11 UTC and 2026-11-23 02:20:10 UTC." in text
    assert "→" not in text
    assert "first seen" not in text


@pytest.mark.parametrize("case", sorted(case for case, event in CASES.items() if event.incident is not None))
def test_no_title_about_polls_or_the_store_suggests_a_failed_training(case: str) -> None:
    message = compose(CASES[case])
    assert "fail" not in plain_text(message.title).lower()
    assert "training " not in plain_text(message.title).lower()
    assert "🔴" not in message.emoji


def test_the_title_of_an_incident_names_its_scope() -> None:
    titles = {case: plain_text(compose(CASES[case]).title) for case in CASES}
    assert titles["account-unreachable"] == "Unreachable: account main"
    assert titles["service-not-found"] == "Not found at AiTEMS: service shop-main"
    assert titles["training-not-found"] == "Not found at AiTEMS: shop-main · pop · maqll0abcde"
    assert titles["account-recovered"] == "Polling recovered: account main"
    assert titles["training-found"] == "Found at AiTEMS: shop-main · pop · maqll0abcde"


def test_an_incident_has_its_short_id_and_no_facts_of_a_training() -> None:
    assert list(facts(CASES["account-unreachable"])) == ["Account", "Incident"]
    assert list(facts(CASES["service-unreachable"])) == ["Service", "Account", "Incident", "Labels"]
    beginning, end = facts(CASES["account-unreachable"]), facts(CASES["account-recovered"])
    assert beginning["Incident"] == end["Incident"]
    assert incident_of(CASES["account-unreachable"]).id.startswith(beginning["Incident"])


def test_the_repeat_note_of_several_events_counts_them() -> None:
    event = sample_event()
    assert plain_text(repeat_note(event, 4)).endswith(f"Events {event.short_id} and 4 more.")


def test_the_repeat_note_names_the_event_by_its_short_id() -> None:
    event = sample_event()
    assert "may be a repeat" in plain_text(repeat_note(event))
    assert event.short_id in plain_text(repeat_note(event))


def test_the_same_event_gives_the_same_message() -> None:
    assert [compose(event) for event in CASES.values()] == [compose(event) for event in CASES.values()]


def test_an_empty_value_is_shown_as_empty() -> None:
    assert "failed: learning → (empty)" in text_of(sample_event(to_status="\x00"))


@settings(deadline=None, max_examples=60)
@given(event=hostile_events)
def test_text_from_outside_stays_in_short_clean_code_pieces(event: Event) -> None:
    for piece in pieces(compose(event)):
        text = piece.text if isinstance(piece, Code) else ""
        assert len(text) <= max(WORD_LIMIT, DESCRIPTION_LIMIT)
        assert all(unicodedata.category(character) not in {"Cc", "Cs", "Zl", "Zp"} for character in text)
        assert not isinstance(piece, Code) or text


@pytest.mark.parametrize("text", [text for text in HOSTILE if text.strip()])
def test_no_hostile_text_gets_into_our_own_words(text: str) -> None:
    plain = {piece for piece in pieces(compose(sample_event())) if isinstance(piece, str)}
    event = sample_event(version=text, service_name=text, to_status=text, record={"description": text})
    hostile = {piece for piece in pieces(compose(event)) if isinstance(piece, str)}
    assert hostile - plain <= {
        "AiTEMS does not document the status ",
        "not given",
    }
