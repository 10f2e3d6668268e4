"""What is said when something cannot be seen, and when it can be again."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

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
from watcher.core.incidents.events import Scope
from watcher.core.incidents.tracker import IncidentChangeKind
from watcher.core.messages.incident import ADVICE_LIMIT, DETAIL_LIMIT
from watcher.core.messages.text import Code, plain_text
from watcher.core.messages.training import compose
from watcher.core.polling.result import Cause

SCOPES = {"account": ACCOUNT_SCOPE, "service": SERVICE_SCOPE, "training": TRAINING_SCOPE}
every_scope = pytest.mark.parametrize("scope", SCOPES.values(), ids=SCOPES)


def said(event: Event) -> str:
    return "\n".join(plain_text(line) for line in compose(event).lines)


@every_scope
def test_the_beginning_says_since_when_and_when_it_was_seen_last(scope: Scope) -> None:
    text = said(incident_event(scope))
    assert "Not seen since 2026-11-23 02:18:11 UTC; seen last at 2026-11-23 02:17:11 UTC." in text


def test_what_is_not_found_was_answered_and_is_not_called_unseen() -> None:
    text = said(incident_event(TRAINING_SCOPE, **NEVER))
    assert "Not found since 2026-11-23 02:18:11 UTC" in text
    assert "Not seen" not in text


def test_what_was_never_seen_is_not_said_to_have_been() -> None:
    assert "seen last: never since the watcher started." in said(incident_event(ACCOUNT_SCOPE, last_good_at=None))
    for scope in (SERVICE_SCOPE, TRAINING_SCOPE):
        assert "seen last: not known." in said(incident_event(scope, last_good_at=None))


@pytest.mark.parametrize("cause", Cause)
def test_every_cause_is_named_with_what_came_back_and_what_to_do(cause: Cause) -> None:
    text = said(incident_event(ACCOUNT_SCOPE, cause=cause, detail="as it came"))
    assert f"Cause: {cause.value} (as it came)." in text
    assert f"What to do: {advice(cause)}" in text


def test_a_cause_without_a_detail_stands_alone() -> None:
    assert "Cause: dns.\n" in said(incident_event(ACCOUNT_SCOPE, cause=Cause.DNS, detail=""))


def test_no_advice_is_cut() -> None:
    assert max(map(len, ADVICE.values())) <= ADVICE_LIMIT


def test_a_long_detail_is_cut_and_leaves_room_for_what_to_do() -> None:
    event = incident_event(ACCOUNT_SCOPE, detail="x" * 10_000)
    details = [piece.text for line in compose(event).lines for piece in line if isinstance(piece, Code)]
    assert max(map(len, details)) <= DETAIL_LIMIT
    assert "What to do: " in said(event)


@every_scope
def test_a_person_learns_that_no_training_is_said_to_have_failed(scope: Scope) -> None:
    text = said(incident_event(scope))
    assert "last known status; this does not mean that" in text
    assert " failed." in text


def test_a_training_that_was_never_found_has_no_status_to_keep() -> None:
    text = said(incident_event(TRAINING_SCOPE, **NEVER))
    assert "No status of this training is known; this does not mean that it failed." in text
    assert "keep their last known status" not in text


def test_clocks_that_disagree_hide_nothing_and_nothing_is_said_to_be_unseen() -> None:
    text = said(CASES["clocks-disagree"])
    assert "Noticed first at 2026-11-23 02:18:11 UTC." in text
    assert "Cause: clock (the server's clock is +90 s from ours)." in text
    assert "This alone hides no change." in text
    assert "seen" not in text


def test_clocks_that_agree_again_are_no_recovery_of_result_and_no_time_is_counted_over_the_step() -> None:
    event = CASES["clocks-agree"]
    assert plain_text(compose(event).title) == "Clocks agree again: account main"
    assert "Noticed first at 2026-11-23 02:18:11 UTC, by this machine's clock of that time." in said(event)
    assert "seen" not in said(event)
    assert " for " not in said(event)


def test_a_signature_that_the_clock_spoiled_is_not_seeing_with_times_that_may_be_off() -> None:
    event = CASES["account-clock"]
    assert plain_text(compose(event).title) == "Watcher cannot see (clocks disagree): account main"
    assert "Not seen since" in said(event)
    end = said(closed(ACCOUNT_SCOPE, cause=Cause.CLOCK))
    assert "Could not be seen for" in end
    assert "by this machine's clock, which disagreed with AiTEMS'." in end
    assert "clock" not in said(CASES["account-recovered"])


def test_where_only_the_list_of_services_is_unreachable_nothing_else_is_said_to_be() -> None:
    beginning, end = CASES["services-denied"], CASES["services-seen"]
    assert plain_text(compose(beginning).subject) == "list of services of account main"
    assert "Services that were found before are looked at as before; new ones are not found meanwhile." in said(
        beginning
    )
    assert "Trainings" not in said(beginning)
    assert "What changed meanwhile" not in said(end)
    covering = incident_event(ACCOUNT_SCOPE, covers=frozenset({EVERY_SERVICE_SUBJECT}))
    assert "told before about the list of services." in said(covering)


def test_another_cause_is_announced_as_the_same_incident() -> None:
    before, after = CASES["account-unreachable"], CASES["account-denied-instead"]
    assert "The incident goes on, and its cause is another one now." in said(after)
    assert "The incident goes on" not in said(before)
    assert (before.incident or {})["id"] == (after.incident or {})["id"]


def test_an_incident_that_takes_over_others_names_them() -> None:
    text = said(CASES["account-unreachable"])
    assert (
        "It has taken over what was told before about service 6wxgu1abcde, service 7kpqr2fghij, training maqll0abcde."
        in text
    )
    assert "told before" not in said(incident_event(ACCOUNT_SCOPE))


def test_an_account_whose_services_went_unreachable_one_by_one_was_not_seen_as_a_whole() -> None:
    assert "; all of it was seen last at 2026-11-23 02:17:11 UTC." in said(CASES["account-unreachable"])


def test_names_that_were_encoded_for_the_store_are_shown_as_they_are() -> None:
    event = incident_event(ACCOUNT_SCOPE, covers=frozenset({"service:main/a%2Fb%20%3C"}))
    assert "about service a/b <." in said(event)


def test_more_of_them_than_can_be_read_are_counted() -> None:
    covers = frozenset(f"service:main/s{number}" for number in range(100))
    assert "(cut, 92 more)." in said(incident_event(ACCOUNT_SCOPE, covers=covers))


def closed(scope: Scope, **changes: Any) -> Event:
    return incident_event(scope, IncidentChangeKind.CLOSED, 2, **changes)


def test_the_end_says_how_long_it_lasted_what_it_was_and_where_changes_are_announced() -> None:
    text = said(CASES["account-recovered"])
    assert "Could not be seen for 12 h 3 min: from 2026-11-22 14:17:11 UTC to 2026-11-23 02:20:11 UTC." in text
    assert "Latest cause: server-error (HTTP 503, code 900, Service Unavailable)." in text
    assert "It had taken over what was told before about service 6wxgu1abcde." in text
    assert "What changed meanwhile, if anything, is told in messages of its own." in text
    assert "What to do" not in text


def test_the_end_rounds_its_times_outwards() -> None:
    since = RECORDED - timedelta(minutes=2) + timedelta(microseconds=900_000)
    assert "from 2026-11-23 02:18:11 UTC to 2026-11-23 02:20:11 UTC." in said(closed(ACCOUNT_SCOPE, since=since))


def test_what_is_found_for_the_first_time_has_no_changes_to_announce() -> None:
    text = said(closed(TRAINING_SCOPE, **NEVER))
    assert "Could not be found for 2 min" in text
    assert "What is seen for the first time now is the starting point: changes are told from here on." in text
    assert "What changed meanwhile" not in text


def test_an_account_without_an_answer_since_the_start_may_have_changes_to_announce() -> None:
    assert "What changed meanwhile" in said(closed(ACCOUNT_SCOPE, last_good_at=None))


@pytest.mark.parametrize("kind", [IncidentChangeKind.OPENED, IncidentChangeKind.UPDATED, IncidentChangeKind.CLOSED])
@pytest.mark.parametrize("text", [text for text in HOSTILE if text.strip()])
def test_no_hostile_detail_reaches_our_own_words(text: str, kind: IncidentChangeKind) -> None:
    def words(event: Event) -> set[str]:
        return {piece for line in compose(event).lines for piece in line if isinstance(piece, str)}

    assert words(incident_event(SERVICE_SCOPE, kind, detail=text)) == words(incident_event(SERVICE_SCOPE, kind))
