"""The message about one event of a training."""

from __future__ import annotations

import json
import unicodedata
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings

from tests.unit.receivers.samples import CASES, HOSTILE, OUTAGE, RECORDED, hostile_events, sample_event
from watcher.core.durations.current_run import RunStart
from watcher.core.event import INCIDENT_KINDS, RECEIVER_KINDS, STORE_KINDS, Event, Kind
from watcher.core.event_json import from_json, to_json
from watcher.core.messages.groups.group import compose_group
from watcher.core.messages.message import Message, Severity, Style, Symbol
from watcher.core.messages.text import WORD_LIMIT, Code, TextLine, plain_text
from watcher.core.messages.training import DESCRIPTION_LIMIT, compose

SEOUL = Style(account_zones={"main": ZoneInfo("Asia/Seoul")})
RUN = RunStart(
    started_after=RECORDED - timedelta(hours=2, minutes=11),
    started_before=RECORDED - timedelta(hours=2, minutes=10, seconds=30),
)
TRAINING_KINDS = sorted(set(Kind) - INCIDENT_KINDS - STORE_KINDS - RECEIVER_KINDS)


def lines_of(message: Message) -> list[TextLine]:
    return [message.title, *message.facts, *message.rows, *message.remedy, *message.marks, message.muted]


def text_of(event: Event, style: Style = SEOUL) -> str:
    return "\n".join(plain_text(line) for line in lines_of(compose(event, style)))


@pytest.mark.parametrize("kind", TRAINING_KINDS)
def test_every_kind_has_its_own_headline(kind: Kind) -> None:
    headline = compose(sample_event(kind=kind, to_status="learning")).headline
    others = {
        compose(sample_event(kind=other, to_status="learning")).headline for other in TRAINING_KINDS if other != kind
    }
    assert headline not in others


def test_a_failure_and_a_success_have_signs_of_their_own() -> None:
    signs = {kind: compose(sample_event(kind=kind)).sign for kind in TRAINING_KINDS}
    assert [kind for kind in TRAINING_KINDS if signs[kind] is Symbol.FAILED] == [Kind.FAILED, Kind.UPDATE_FAILED]
    succeeded = [Kind.SUCCEEDED, Kind.UPDATE_SUCCEEDED]
    assert [kind for kind in TRAINING_KINDS if signs[kind] is Symbol.SUCCEEDED] == succeeded
    assert compose(sample_event()).severity is Severity.ERROR
    assert compose(sample_event(kind=Kind.SUCCEEDED)).severity is Severity.OK


@pytest.mark.parametrize("case", sorted(CASES))
def test_no_line_is_there_twice_and_none_is_empty(case: str) -> None:
    message = compose(CASES[case], SEOUL)
    lines = [plain_text(line) for line in lines_of(message)]
    below = [line for line in lines[1:] if line]
    assert len(below) == len(set(below))
    assert not [line for line in below if line.strip() in {"", "·"}]
    assert len(message.facts) <= 3


@pytest.mark.parametrize("status", ["learningFailed", "requestFailed", "refinedFailed", "paused"])
def test_the_headline_never_repeats_the_status_word(status: str) -> None:
    for kind in (Kind.FAILED, Kind.SUCCEEDED, Kind.UNKNOWN_STATUS):
        assert status not in compose(sample_event(kind=kind, to_status=status)).headline.split()


def test_the_title_names_the_training_by_the_services_name_or_its_id() -> None:
    named = compose(sample_event(service_name="shop-main"))
    nameless = compose(sample_event(service_name=None))
    assert plain_text(named.title) == "Training failed · shop-main · pop · maqll0abcde"
    assert plain_text(nameless.title) == "Training failed · 6wxgu1abcde · pop · maqll0abcde"


@pytest.mark.parametrize("case", ["failed", "succeeded-skipped", "appeared", "progress", "gone", "training-not-found"])
def test_several_accounts_are_distinguished(case: str) -> None:
    event = CASES[case]
    service = event.service_name or event.service
    assert f"{event.account}/{service}" in plain_text(compose(event, Style(several_accounts=True)).title)
    assert f"{event.account}/" not in plain_text(compose(event).title)


def test_a_failure_says_how_long_the_run_took() -> None:
    text = text_of(sample_event(run=RUN))
    assert "learningFailed after 2 h 10 min" in text
    assert "→" not in text
    assert "created" not in text.lower()


def test_a_late_failure_says_between_which_durations_the_run_ended() -> None:
    text = text_of(sample_event(run=RUN, late=True, after=RECORDED - timedelta(hours=1)))
    assert "learningFailed after 1 h 10 min to 2 h 10 min" in text


@pytest.mark.parametrize(
    ("changes", "first"),
    [
        ({}, "learning → learningFailed"),
        ({"from_status": None, "new": True}, "learningFailed when it was first polled"),
        ({"from_status": "requesting", "skipped": ("waiting", "learning")}, "requesting → learningFailed"),
    ],
)
def test_a_failure_without_a_known_start_shows_its_transition(changes: dict[str, Any], first: str) -> None:
    assert plain_text(compose(sample_event(**changes)).facts[0]) == first


@pytest.mark.parametrize(
    ("status", "guess"),
    [
        ("requestFailed", "Check the request"),
        ("refinedFailed", "Check the data set"),
        ("learningFailed", "Check data and"),
    ],
)
def test_a_guess_is_called_one_and_gives_way_to_a_mark(status: str, guess: str) -> None:
    text = text_of(sample_event(to_status=status))
    assert guess in text
    assert "(a guess)" in text
    for mark in ({"late": True}, {"restored": True}, {"confirmed": False}):
        assert "guess" not in text_of(sample_event(to_status=status, **mark))


@pytest.mark.parametrize("kind", [Kind.SUCCEEDED, Kind.PROGRESS, Kind.APPEARED, Kind.RESTARTED, Kind.BACK])
def test_what_a_channel_reads_all_day_is_two_lines(kind: Kind) -> None:
    message = compose(sample_event(kind=kind, to_status="learning"))
    assert (message.facts, message.rows, message.marks) == ((), (), ())


def test_a_success_says_how_long_it_took() -> None:
    text = text_of(sample_event(kind=Kind.SUCCEEDED, to_status="completed", run=RUN))
    assert "Took 2 h 10 min · between" in text


@pytest.mark.parametrize(
    ("status", "shown"),
    [
        ("waiting", "Training in progress"),
        ("ready", "Training status changed"),
        ("stopping", "Training status changed"),
        ("Paused (2)", "Training status changed"),
    ],
)
def test_only_progress_is_called_progress(status: str, shown: str) -> None:
    message = compose(sample_event(kind=Kind.PROGRESS, to_status=status))
    assert message.headline == shown
    assert plain_text(message.title).endswith(f"learning → {status}")


def test_bounds_are_rounded_outwards_so_that_they_stay_true() -> None:
    event = sample_event(
        after=RECORDED - timedelta(seconds=31, microseconds=-900_000),
        before=RECORDED - timedelta(microseconds=1),
    )
    assert "between 2026-11-23 02:19:40 UTC and 2026-11-23 02:20:11 UTC" in text_of(event)


@pytest.mark.parametrize(
    ("group", "who"),
    [
        (OUTAGE, "AiTEMS could not be polled"),
        ("start x", "the watcher did not poll"),
        (None, "the watcher did not poll"),
    ],
)
def test_a_late_change_says_who_could_not_be_polled(group: str | None, who: str) -> None:
    expected = f"Late: {who} from 2026-11-23 02:19:40 UTC to 2026-11-23 02:20:10 UTC"
    assert expected in text_of(sample_event(late=True, group=group))
    assert "Late" not in text_of(sample_event(group=group))


@pytest.mark.parametrize("group", [None, OUTAGE, "start x"])
def test_a_late_change_of_a_service_that_was_gone_says_so(group: str | None) -> None:
    event = sample_event(late=True, service_was_gone=True, group=group)
    text = text_of(event)
    assert "Late: the service was gone between 2026-11-23 02:19:40 UTC and 2026-11-23 02:20:10 UTC" in text
    assert "poll" not in text
    assert from_json(json.loads(json.dumps(to_json(event)))) == event


def test_late_changes_with_several_reasons_name_the_one_of_all() -> None:
    gone, other = sample_event(late=True, service_was_gone=True), sample_event(late=True, seq=5)
    lines = ["\n".join(map(plain_text, compose_group(events, []).marks)) for events in ([gone, gone], [gone, other])]
    assert ["the service was gone" in text for text in lines] == [True, False]
    earlier = replace(gone, after=gone.after - timedelta(hours=1), before=gone.before - timedelta(hours=1))
    (part,) = map(plain_text, compose_group([gone, earlier], []).marks)
    assert part == "Late: the service was gone for part of that time"


def test_skipped_stages_are_called_not_seen() -> None:
    assert "waiting, learning not seen" in text_of(sample_event(skipped=("waiting", "learning")))
    assert "a, b, c and 2 more not seen" in text_of(sample_event(skipped=tuple("abcde")))
    assert "not seen" not in text_of(sample_event(skipped=()))


def test_an_unconfirmed_end_and_a_restored_event_say_so() -> None:
    assert "Unconfirmed: " in text_of(sample_event(confirmed=False))
    assert "You may know this already" in text_of(sample_event(restored=True))
    assert "was restored from a backup\n" in text_of(sample_event(restored=True))
    backup = RECORDED - timedelta(days=2, microseconds=5)
    expected = "was restored from a backup of 2026-11-21 02:20:10 UTC"
    assert expected in text_of(sample_event(restored=True, restored_from=backup))


def test_an_undocumented_status_is_shown_as_aitems_wrote_it() -> None:
    event = sample_event(kind=Kind.UNKNOWN_STATUS, to_status="Paused (2)")
    assert "learning → Paused (2); AiTEMS does not document this word" in text_of(event)
    assert "Paused (2) after 2 h 10 min; AiTEMS" in text_of(replace(event, run=RUN))


@pytest.mark.parametrize(
    ("created", "shown"),
    [
        ("2026-11-23T09:14:07.031", "Created 2026-11-23 00:14:07 UTC ·"),
        ("2026-11-23T09:14:07+02:00", "Created 2026-11-23 07:14:07 UTC ·"),
        ("2026-11-23 09:14:07", "Created 2026-11-23 00:14:07 UTC ·"),
        ("yesterday", "Created yesterday, as AiTEMS gave it"),
        ("9999-12-31T23:59:59", "Created 9999-12-31 14:59:59 UTC ·"),
        (20261123, "Created 20261123, as AiTEMS gave it"),
        ("2026-11-23", "Created 2026-11-23, as AiTEMS gave it"),
    ],
)
def test_the_created_date_is_a_time_in_the_zone_of_its_account(created: object, shown: str) -> None:
    assert shown in text_of(sample_event(record={"createdDate": created}))


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00", "2026-02-30", "", "2026-11-23T09:14:07Z" * 9])
def test_an_odd_created_date_stops_no_message(text: str) -> None:
    assert compose(sample_event(record={"createdDate": text}), SEOUL).headline == "Training failed"


@pytest.mark.parametrize(
    ("created", "shown"),
    [
        ("2026-11-23T09:14:07.031", "Created 2026-11-23 09:14:07 in an unknown zone"),
        ("2026-11-23T09:14:07", "Created 2026-11-23 09:14:07 in an unknown zone"),
        ("20261123T091407", "Created 2026-11-23 09:14:07 in an unknown zone"),
        ("2026-11-23T09:14:07+09:00", "Created 2026-11-23 00:14:07 UTC"),
        ("yesterday", "Created yesterday, as AiTEMS gave it"),
    ],
)
def test_without_the_zone_of_its_account_the_created_date_says_so(created: str, shown: str) -> None:
    assert shown in text_of(sample_event(record={"createdDate": created}), Style())


def test_facts_without_information_are_left_out() -> None:
    event = sample_event(record={"hpConfig": {"is_enabled": False}, "inference": False}, labels={"team": "search"})
    text = text_of(event)
    for word in ("HPO", "inference", "Inference", "team", "6wxgu1abcde", "Account", "not given"):
        assert word not in text


def test_the_description_of_a_new_training_is_quoted() -> None:
    text = text_of(sample_event(kind=Kind.APPEARED, to_status="waiting", record={"description": "weekly"}))
    assert "“weekly”" in text
    assert "weekly" not in text_of(sample_event(record={"description": "weekly"}))


def test_the_links_of_its_watch_are_in_the_last_line() -> None:
    event = sample_event(links={"console": "https://console.example/pop", "runbook": "https://wiki.example/x"})
    text = plain_text(compose(event).muted)
    assert text.endswith(f"Console: https://console.example/pop · Runbook: https://wiki.example/x · {event.short_id}")


def test_a_training_that_no_longer_exists_has_its_last_status_and_advice() -> None:
    text = text_of(CASES["gone"])
    assert "Training no longer exists · shop-main · pop · maqll0abcde" in text
    assert "Last status learning; " in text
    assert "If nobody removed it on purpose" in text
    assert "between 2026-11-23 02:15:11 UTC" in text.replace("B", "b")


def test_a_training_that_exists_again_has_its_recorded_status_and_its_absence() -> None:
    text = text_of(CASES["back"])
    assert "Training exists again · shop-main · pop · maqll0abcde · learning" in text
    assert "Missing for 1 h 59 min" in text
    assert "→" not in text


def test_the_same_event_gives_the_same_message() -> None:
    assert [compose(event) for event in CASES.values()] == [compose(event) for event in CASES.values()]


def pieces(message: Message) -> list[object]:
    return [piece for line in lines_of(message) for piece in line]


@settings(deadline=None, max_examples=60)
@given(event=hostile_events)
def test_text_from_outside_stays_in_short_clean_code_pieces(event: Event) -> None:
    for piece in pieces(compose(event, SEOUL)):
        text = piece.text if isinstance(piece, Code) else ""
        assert len(text) <= max(WORD_LIMIT, DESCRIPTION_LIMIT, 200)
        assert all(unicodedata.category(character) not in {"Cc", "Cs", "Zl", "Zp"} for character in text)
        assert not isinstance(piece, Code) or text


@pytest.mark.parametrize("text", [text for text in HOSTILE if text.strip()])
def test_no_hostile_text_gets_into_our_own_words(text: str) -> None:
    def words(event: Event) -> list[object]:
        return [piece for piece in pieces(compose(event)) if isinstance(piece, str)]

    event = sample_event(version=text, service_name=text, to_status=text, record={"createdDate": text})
    assert words(event) == words(sample_event(to_status="x", record={"createdDate": "x"}))


def test_times_of_a_message_stay_times_for_the_medium() -> None:
    assert [piece for piece in compose(sample_event()).muted if isinstance(piece, datetime)]
