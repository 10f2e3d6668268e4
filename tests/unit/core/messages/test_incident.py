"""The text about failing polls and about their recovery."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.support.event_facts import incident_of
from tests.unit.receivers.samples import (
    ACCOUNT_SCOPE,
    CASES,
    EVERY_SERVICE_SUBJECT,
    HOSTILE,
    NEVER,
    RECORDED,
    SERVICE_SCOPE,
    TRAINING_SCOPE,
    incident_event,
)
from watcher.core.event import Event
from watcher.core.incidents.advice import ADVICE, advice
from watcher.core.incidents.events import IncidentScope
from watcher.core.incidents.tracker import IncidentChangeKind
from watcher.core.messages.incident import ADVICE_LIMIT, BASELINE_FOLLOWS, CHANGES_FOLLOW, DETAIL_LIMIT
from watcher.core.messages.text import Code, plain_text
from watcher.core.messages.training import compose
from watcher.core.polling.result import Cause

SCOPES = {"account": ACCOUNT_SCOPE, "service": SERVICE_SCOPE, "training": TRAINING_SCOPE}
every_scope = pytest.mark.parametrize("scope", SCOPES.values(), ids=SCOPES)


def text_of(event: Event) -> str:
    return "\n".join(plain_text(line) for line in compose(event).lines)


@every_scope
def test_the_start_has_the_first_failure_and_the_last_good_poll(scope: IncidentScope) -> None:
    text = text_of(incident_event(scope))
    assert "Unreachable since 2026-11-23 02:18:11 UTC; last good poll at 2026-11-23 02:17:11 UTC." in text


def test_a_training_that_is_not_found_is_not_called_unreachable() -> None:
    text = text_of(incident_event(TRAINING_SCOPE, **NEVER))
    assert "Not found since 2026-11-23 02:18:11 UTC" in text
    assert "Unreachable" not in text


def test_without_a_good_poll_the_text_says_so() -> None:
    assert "; no good poll since the watcher started." in text_of(incident_event(ACCOUNT_SCOPE, last_good_at=None))
    for scope in (SERVICE_SCOPE, TRAINING_SCOPE):
        assert "; last good poll: not known." in text_of(incident_event(scope, last_good_at=None))


@pytest.mark.parametrize("cause", Cause)
def test_every_cause_is_named_with_its_detail_and_its_advice(cause: Cause) -> None:
    text = text_of(incident_event(ACCOUNT_SCOPE, cause=cause, detail="as it came"))
    assert f"Cause: {cause.value} (as it came)." in text
    assert f"Remedy: {advice(cause)}" in text


def test_a_cause_without_a_detail_stands_alone() -> None:
    assert "Cause: dns.\n" in text_of(incident_event(ACCOUNT_SCOPE, cause=Cause.DNS, detail=""))


def test_no_advice_is_cut() -> None:
    assert max(map(len, ADVICE.values())) <= ADVICE_LIMIT


def test_a_long_detail_is_cut_and_leaves_room_for_the_advice() -> None:
    event = incident_event(ACCOUNT_SCOPE, detail="x" * 10_000)
    details = [piece.text for line in compose(event).lines for piece in line if isinstance(piece, Code)]
    assert max(map(len, details)) <= DETAIL_LIMIT
    assert "Remedy: " in text_of(event)


@every_scope
def test_the_text_says_that_no_training_failed(scope: IncidentScope) -> None:
    text = text_of(incident_event(scope))
    assert "last known status; this does not mean that" in text
    assert " failed." in text


def test_a_training_that_was_never_found_has_no_status_to_keep() -> None:
    text = text_of(incident_event(TRAINING_SCOPE, **NEVER))
    assert "No status of this training is known; this does not mean that it failed." in text
    assert "keep their last known status" not in text


def test_clocks_that_differ_stop_no_poll_and_nothing_is_called_unreachable() -> None:
    text = text_of(CASES["clocks-disagree"])
    assert "First noticed at 2026-11-23 02:18:11 UTC." in text
    assert "Cause: clock (the server's clock is +90 s from ours)." in text
    assert "This alone stops no poll." in text
    assert "nreachable" not in text


def test_clocks_that_agree_again_have_no_duration_across_the_step() -> None:
    event = CASES["clocks-agree"]
    assert plain_text(compose(event).title) == "Clocks agree again: account main"
    assert "First noticed at 2026-11-23 02:18:11 UTC, by this machine's clock at that time." in text_of(event)
    assert "nreachable" not in text_of(event)
    assert " for " not in text_of(event)


def test_a_signature_that_is_rejected_for_the_clock_is_unreachable_with_times_that_may_be_wrong() -> None:
    event = CASES["account-clock"]
    assert plain_text(compose(event).title) == "Unreachable (clocks differ): account main"
    assert "Unreachable since" in text_of(event)
    end = text_of(closed(ACCOUNT_SCOPE, cause=Cause.CLOCK))
    assert "Unreachable for" in end
    assert "those of this machine's clock, which differed from AiTEMS' clock." in end
    assert "clock" not in text_of(CASES["account-recovered"])


def test_an_unreachable_service_list_makes_nothing_else_unreachable() -> None:
    beginning, end = CASES["services-denied"], CASES["services-recovered"]
    assert plain_text(compose(beginning).subject) == "service list of account main"
    assert "Known services are polled as before. New services are not found until this ends." in text_of(beginning)
    assert "Trainings" not in text_of(beginning)
    assert CHANGES_FOLLOW not in text_of(end)
    covering = incident_event(ACCOUNT_SCOPE, covers=frozenset({EVERY_SERVICE_SUBJECT}))
    assert "announced before about the service list." in text_of(covering)


def test_a_new_cause_is_announced_as_the_same_incident() -> None:
    before, after = CASES["account-unreachable"], CASES["account-denied-instead"]
    assert "The incident continues with a new cause." in text_of(after)
    assert "The incident continues" not in text_of(before)
    assert incident_of(before).id == incident_of(after).id


def test_an_incident_that_absorbs_others_names_them() -> None:
    text = text_of(CASES["account-unreachable"])
    assert (
        "It includes the incidents announced before about "
        "service 6wxgu1abcde, service 7kpqr2fghij, training maqll0abcde." in text
    )
    assert "announced before" not in text_of(incident_event(ACCOUNT_SCOPE))


def test_an_account_that_absorbed_incidents_has_the_last_good_poll_of_all_services() -> None:
    assert "; last good poll of all services at 2026-11-23 02:17:11 UTC." in text_of(CASES["account-unreachable"])


def test_names_that_are_encoded_in_the_store_are_shown_decoded() -> None:
    event = incident_event(ACCOUNT_SCOPE, covers=frozenset({"service:main/a%2Fb%20%3C"}))
    assert "about service a/b <." in text_of(event)


def test_absorbed_incidents_beyond_the_limit_are_counted() -> None:
    covers = frozenset(f"service:main/s{number}" for number in range(100))
    assert "(cut, 92 more)." in text_of(incident_event(ACCOUNT_SCOPE, covers=covers))


def closed(scope: IncidentScope, **changes: Any) -> Event:
    return incident_event(scope, IncidentChangeKind.CLOSED, 2, **changes)


def test_the_end_has_the_duration_the_cause_and_a_note_about_the_changes() -> None:
    text = text_of(CASES["account-recovered"])
    assert "Unreachable for 12 h 3 min: from 2026-11-22 14:17:11 UTC to 2026-11-23 02:20:11 UTC." in text
    assert "Latest cause: server-error (HTTP 503, code 900, Service Unavailable)." in text
    assert "It included the incidents announced before about service 6wxgu1abcde." in text
    assert CHANGES_FOLLOW in text
    assert "Remedy" not in text


def test_the_end_rounds_its_times_outwards() -> None:
    since = RECORDED - timedelta(minutes=2) + timedelta(microseconds=900_000)
    assert "from 2026-11-23 02:18:11 UTC to 2026-11-23 02:20:11 UTC." in text_of(closed(ACCOUNT_SCOPE, since=since))


def test_what_is_found_for_the_first_time_has_no_changes_to_announce() -> None:
    text = text_of(closed(TRAINING_SCOPE, **NEVER))
    assert "Not found for 2 min" in text
    assert BASELINE_FOLLOWS in text
    assert CHANGES_FOLLOW not in text


def test_an_account_without_an_answer_since_the_start_may_have_changes_to_announce() -> None:
    assert CHANGES_FOLLOW in text_of(closed(ACCOUNT_SCOPE, last_good_at=None))


@pytest.mark.parametrize("kind", [IncidentChangeKind.OPENED, IncidentChangeKind.UPDATED, IncidentChangeKind.CLOSED])
@pytest.mark.parametrize("text", [text for text in HOSTILE if text.strip()])
def test_no_hostile_detail_gets_into_our_own_words(text: str, kind: IncidentChangeKind) -> None:
    def words(event: Event) -> set[str]:
        return {piece for line in compose(event).lines for piece in line if isinstance(piece, str)}

    assert words(incident_event(SERVICE_SCOPE, kind, detail=text)) == words(incident_event(SERVICE_SCOPE, kind))
