"""The messages about failing polls, the store, and their recovery."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
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
from watcher.core.event import Event, PreviousCause
from watcher.core.event_json import from_json, to_json
from watcher.core.incidents.events import IncidentScope
from watcher.core.incidents.evidence import Evidence, evidence_in_old
from watcher.core.incidents.model import IncidentChangeKind
from watcher.core.messages.advice import advice
from watcher.core.messages.incident import DETAIL_LIMIT
from watcher.core.messages.message import Style, Symbol
from watcher.core.messages.text import Code, TextLine, plain_text
from watcher.core.messages.training import compose
from watcher.core.polling.result import Cause, PollFailure

SCOPES = {"account": ACCOUNT_SCOPE, "service": SERVICE_SCOPE, "training": TRAINING_SCOPE}
every_scope = pytest.mark.parametrize("scope", SCOPES.values(), ids=SCOPES)
INCIDENTS = sorted(case for case, event in CASES.items() if event.incident is not None)


def lines_of(event: Event) -> list[TextLine]:
    message = compose(event)
    return [message.title, *message.facts, *message.marks, message.muted]


def text_of(event: Event) -> str:
    return "\n".join(plain_text(line) for line in lines_of(event))


def title_of(event: Event) -> str:
    return plain_text(compose(event).title)


@pytest.mark.parametrize("case", INCIDENTS)
def test_no_word_about_polls_or_the_store_suggests_a_failed_training(case: str) -> None:
    assert "fail" not in text_of(CASES[case]).lower().replace("authentication failed", "")
    assert compose(CASES[case]).sign not in {Symbol.FAILED, Symbol.SUCCEEDED}


@pytest.mark.parametrize("cause", Cause)
@every_scope
def test_every_headline_names_aitems(cause: Cause, scope: IncidentScope) -> None:
    for kind in (IncidentChangeKind.OPENED, IncidentChangeKind.UPDATED, IncidentChangeKind.CLOSED):
        assert "AiTEMS" in compose(incident_event(scope, kind, cause=cause)).headline


@pytest.mark.parametrize(
    ("cause", "detail", "headline"),
    [
        (Cause.SERVER, "HTTP 503, code 900, Service Unavailable", "AiTEMS does not answer (HTTP 503)"),
        (Cause.SERVER, "odd", "AiTEMS does not answer (server error)"),
        (Cause.DEADLINE, "no whole answer within 10 s", "AiTEMS does not answer (timeout)"),
        (Cause.DNS, "no such host", "AiTEMS does not answer (DNS)"),
        (Cause.CONNECT, "refused", "AiTEMS does not answer (no connection)"),
        (Cause.BAD_ANSWER, "HTTP 200, no JSON", "AiTEMS does not answer (unreadable answer)"),
        (Cause.KEY, "HTTP 401, code 200, Authentication Failed", "AiTEMS rejects the key (HTTP 401, code 200)"),
        (Cause.PERMISSION, "HTTP 403", "Key lacks permission for AiTEMS (HTTP 403)"),
        (Cause.QUOTA, "HTTP 429, code 400, Quota", "AiTEMS' API quota is used up (HTTP 429, code 400)"),
        (Cause.RATE, "", "AiTEMS limits the request rate"),
        (Cause.CLOCK, "the server's clock is +412 s from ours", "This machine's clock is 6 min 52 s behind AiTEMS'"),
        (Cause.CLOCK, "the server's clock is -90 s from ours", "This machine's clock is 1 min 30 s ahead of AiTEMS'"),
        (Cause.CLOCK, "odd", "This machine's clock differs from AiTEMS'"),
    ],
)
def test_the_headline_names_the_cause_with_its_evidence(cause: Cause, detail: str, headline: str) -> None:
    assert compose(incident_event(ACCOUNT_SCOPE, cause=cause, detail=detail)).headline == headline


@pytest.mark.parametrize(
    ("detail", "evidence"),
    [
        ("HTTP 401, code 200, Authentication Failed", (401, "200")),
        ("HTTP 503, no code here", (503, None)),
        ("HTTP 503", (503, None)),
        ("HTTP 999", (None, None)),
        ("x HTTP 503", (None, None)),
        ("HTTP 401, code <!channel>, x", (401, None)),
        ("HTTP 401, code " + "9" * 500, (401, None)),
        ("", (None, None)),
    ],
)
def test_the_evidence_of_an_older_event_is_read_from_its_detail(
    detail: str, evidence: tuple[int | None, str | None]
) -> None:
    found = evidence_in_old(detail)
    assert (found.http_status, found.code) == evidence


@pytest.mark.parametrize("detail", ["", "oops", "HTTP 503, code 900, the server's clock is +9 s from ours"])
def test_the_headline_has_the_evidence_and_nothing_from_the_detail(detail: str) -> None:
    evidence = Evidence(http_status=401, code="200")
    event = incident_event(ACCOUNT_SCOPE, cause=Cause.KEY, detail=detail, evidence=evidence)
    assert compose(event).headline == "AiTEMS rejects the key (HTTP 401, code 200)"
    assert from_json(json.loads(json.dumps(to_json(event)))) == event


def test_an_event_of_an_older_version_keeps_its_evidence() -> None:
    event = incident_event(ACCOUNT_SCOPE, cause=Cause.KEY, detail="HTTP 401, code 200, Authentication Failed")
    stored = json.loads(json.dumps(to_json(event)))
    del stored["incident"]["evidence"]
    assert from_json(stored) == event


@pytest.mark.parametrize(("code", "shown"), [("210", "210"), ("<!channel>", None), ("9" * 21, None), ("", None)])
def test_the_evidence_of_a_failed_poll_has_only_plain_codes(code: str, shown: str | None) -> None:
    at = datetime(2026, 11, 23, 2, 19, tzinfo=UTC)
    failure = PollFailure(cause=Cause.CLOCK, detail="", asked_at=at, ended_at=at, http_status=401, code=code)
    assert failure.evidence == Evidence(http_status=401, code=shown)
    dated = replace(failure, server_date=at + timedelta(seconds=412))
    assert dated.evidence.server_ahead_seconds == 412
    assert replace(dated, cause=Cause.KEY).evidence.server_ahead_seconds is None


def test_the_title_of_an_incident_names_its_scope() -> None:
    assert title_of(CASES["account-unreachable"]) == "AiTEMS does not answer (HTTP 503) · account main"
    assert title_of(CASES["service-not-found"]) == "AiTEMS does not know this service · shop-main"
    assert title_of(CASES["training-not-found"]) == "AiTEMS does not know this training · shop-main · pop · maqll0abcde"
    assert title_of(CASES["account-recovered"]) == "AiTEMS answers again · account main"
    assert title_of(CASES["training-found"]) == "AiTEMS knows this training now · shop-main · pop · maqll0abcde"
    assert title_of(CASES["clocks-agree"]) == "This machine's clock agrees with AiTEMS' again · account main"


def test_the_store_is_named_by_the_machine() -> None:
    message = compose(CASES["store-failing"], Style(host="watcher-1"))
    assert plain_text(message.title) == "Watcher cannot write its store (disk full) · watcher-1"
    assert "AiTEMS" not in plain_text(message.title)
    assert title_of(CASES["store-recovered"]) == "Watcher's store can be written again · this machine"


@every_scope
def test_the_start_has_the_first_bad_poll_and_the_last_answer(scope: IncidentScope) -> None:
    text = text_of(incident_event(scope))
    assert "No status since 2026-11-23 02:18:11 UTC" in text
    assert "keep" in text
    assert "last answer 2026-11-23 02:17:11 UTC" in text


def test_the_number_of_services_without_a_status_is_named() -> None:
    event = incident_event(replace(ACCOUNT_SCOPE, services=4))
    assert "No status for 4 services since" in text_of(event)
    assert "No status for 1 service since" in text_of(incident_event(replace(ACCOUNT_SCOPE, services=1)))


def test_a_training_that_was_never_found_has_no_status_to_keep() -> None:
    text = text_of(incident_event(TRAINING_SCOPE, **NEVER))
    assert "none was ever known" in text
    assert "keeps" not in text
    assert "last answer" not in text


@pytest.mark.parametrize("cause", Cause)
def test_every_cause_has_its_advice(cause: Cause) -> None:
    facts = " ".join(plain_text(line) for line in compose(incident_event(ACCOUNT_SCOPE, cause=cause)).facts)
    assert advice(cause).split(". ")[0] in facts


@pytest.mark.parametrize(
    ("cause", "detail", "shown"),
    [
        (Cause.TLS, "certificate has expired", True),
        (Cause.DNS, "no such host: aitems.example", True),
        (Cause.BAD_ANSWER, "HTTP 200, no JSON", True),
        (Cause.KEY, "HTTP 401, code 200, Authentication Failed", False),
        (Cause.SERVER, "HTTP 503, code 900, Service Unavailable", False),
        (Cause.DNS, "", False),
    ],
)
def test_the_detail_is_shown_where_the_headline_says_less(cause: Cause, detail: str, *, shown: bool) -> None:
    text = text_of(incident_event(ACCOUNT_SCOPE, cause=cause, detail=detail))
    assert (f"Detail: {detail}" in text) is shown


def test_a_long_detail_is_cut() -> None:
    event = incident_event(ACCOUNT_SCOPE, cause=Cause.DNS, detail="x" * 10_000)
    details = [piece.text for line in compose(event).facts for piece in line if isinstance(piece, Code)]
    assert max(map(len, details)) <= DETAIL_LIMIT


def test_clocks_that_differ_have_no_effect_yet() -> None:
    text = text_of(CASES["clocks-disagree"])
    assert "No effect yet" in text
    assert "No status" not in text
    assert "Polling continues" not in text
    assert "No status" in text_of(CASES["account-clock"]).replace("no status", "No status")


def test_clocks_that_agree_again_have_no_duration_across_the_step() -> None:
    text = text_of(CASES["clocks-agree"])
    assert "First noticed at 2026-11-23 02:18:11 UTC, by this machine's clock at that time" in text
    assert " for " not in text


def test_an_unreachable_service_list_makes_nothing_else_unreachable() -> None:
    beginning = CASES["services-denied"]
    assert plain_text(compose(beginning).subject) == "service list of account main"
    assert "known services are polled as before" in text_of(beginning)
    assert "keep" not in text_of(beginning)
    covering = incident_event(ACCOUNT_SCOPE, covers=frozenset({EVERY_SERVICE_SUBJECT}))
    assert "about service list of account main" in text_of(covering)


def test_a_new_cause_is_announced_as_the_same_incident() -> None:
    before, after = CASES["account-unreachable"], CASES["account-denied-instead"]
    assert "For 2 min, since 2026-11-23 02:18:11 UTC" in text_of(after)
    assert "For " not in text_of(before)
    assert incident_of(before).id == incident_of(after).id
    still = incident_event(ACCOUNT_SCOPE, IncidentChangeKind.UPDATED, 2, cause=Cause.DEADLINE, detail="")
    assert title_of(still).startswith("AiTEMS still does not answer (timeout)")


PREVIOUS = PreviousCause(
    cause=Cause.SERVER,
    detail="HTTP 503, code 900",
    evidence=Evidence(http_status=503, code="900"),
    until=datetime(2026, 11, 23, 2, 19, 0, 5, tzinfo=UTC),
)


@pytest.mark.parametrize(
    ("cause", "detail", "text"),
    [
        (Cause.SERVER, "HTTP 503, code 900", "HTTP 503"),
        (Cause.DNS, "no such name", "DNS"),
        (Cause.KEY, "HTTP 401, code 200, invalid", "HTTP 401"),
        (Cause.DEADLINE, "", "timeout"),
    ],
)
def test_an_update_names_the_former_cause_and_its_end(cause: Cause, detail: str, text: str) -> None:
    previous = replace(PREVIOUS, cause=cause, detail=detail, evidence=evidence_in_old(detail))
    event = incident_event(ACCOUNT_SCOPE, IncidentChangeKind.UPDATED, 2, cause=Cause.TLS, detail="", previous=previous)
    assert f"since 2026-11-23 02:18:11 UTC; until 2026-11-23 02:19:00 UTC the cause was {text}" in text_of(event)
    assert from_json(json.loads(json.dumps(to_json(event)))) == event


PAUSED_UNTIL = RECORDED + timedelta(minutes=14, seconds=48, microseconds=7)


@pytest.mark.parametrize(
    ("scope", "kind", "cause", "detail"),
    [
        (ACCOUNT_SCOPE, IncidentChangeKind.OPENED, Cause.QUOTA, "HTTP 429, code 400, Quota Exceeded"),
        (SERVICE_SCOPE, IncidentChangeKind.OPENED, Cause.RATE, "HTTP 429, code 410, Throttled by Rate Limiting"),
        (ACCOUNT_SCOPE, IncidentChangeKind.UPDATED, Cause.THROTTLE, "HTTP 429, code 420, Rate Limited"),
        (ACCOUNT_SCOPE, IncidentChangeKind.OPENED, Cause.SERVER, "HTTP 503"),
    ],
)
def test_an_incident_during_a_pause_says_until_when(
    scope: IncidentScope, kind: IncidentChangeKind, cause: Cause, detail: str
) -> None:
    event = incident_event(scope, kind, 2, cause=cause, detail=detail, paused_until=PAUSED_UNTIL)
    facts = [plain_text(line) for line in compose(event).facts]
    assert facts[1] == "Polling pauses until 2026-11-23 02:34:59 UTC and then continues by itself"
    assert len(facts) == 3
    assert text_of(event).count("Polling pauses") == 1
    assert from_json(json.loads(json.dumps(to_json(event)))) == event


def test_an_event_of_an_older_version_says_only_that_polling_pauses() -> None:
    stored = to_json(CASES["account-throttled"])
    incident = stored["incident"]
    assert isinstance(incident, dict)
    del incident["paused_until"]
    text = text_of(from_json(json.loads(json.dumps(stored))))
    assert "Polling pauses and then continues by itself" in text


def test_an_incident_that_is_over_names_no_pause() -> None:
    event = incident_event(
        ACCOUNT_SCOPE, IncidentChangeKind.CLOSED, 3, cause=Cause.QUOTA, detail="HTTP 429", paused_until=PAUSED_UNTIL
    )
    assert incident_of(event).paused_until is None
    assert "pauses" not in text_of(event)


def test_a_recovery_names_both_causes() -> None:
    event = incident_event(
        ACCOUNT_SCOPE, IncidentChangeKind.CLOSED, 3, cause=Cause.DEADLINE, detail="", previous=PREVIOUS
    )
    assert "(HTTP 503, then timeout)" in text_of(event)


def test_an_incident_that_absorbs_others_names_them() -> None:
    text = text_of(CASES["account-unreachable"])
    assert "about service 6wxgu1abcde, service 7kpqr2fghij, training maqll0abcde" in text
    assert "covers" not in text_of(incident_event(ACCOUNT_SCOPE))


def test_names_that_are_encoded_in_the_store_are_shown_decoded() -> None:
    event = incident_event(ACCOUNT_SCOPE, covers=frozenset({"service:main/a%2Fb%20%3C"}))
    assert "about service a/b <" in text_of(event)


def test_absorbed_incidents_beyond_the_limit_are_counted() -> None:
    covers = frozenset(f"service:main/s{number}" for number in range(100))
    assert "and 96 more" in text_of(incident_event(ACCOUNT_SCOPE, covers=covers))


def closed(scope: IncidentScope, **changes: Any) -> Event:
    return incident_event(scope, IncidentChangeKind.CLOSED, 2, **changes)


def test_the_end_has_the_duration_and_the_cause_and_no_remedy() -> None:
    text = text_of(CASES["account-recovered"])
    assert "Could not be polled for 12 h 3 min, 2026-11-22 14:17:11 UTC to 2026-11-23 02:20:11 UTC (HTTP 503)" in text
    assert "reported in messages of its own" in text
    assert "wait" not in text
    assert compose(CASES["account-recovered"]).sign is Symbol.RECOVERED


def test_the_end_rounds_its_times_outwards() -> None:
    since = RECORDED - timedelta(minutes=2) + timedelta(microseconds=900_000)
    assert "2026-11-23 02:18:11 UTC to 2026-11-23 02:20:11 UTC" in text_of(closed(ACCOUNT_SCOPE, since=since))


def test_what_is_found_for_the_first_time_has_no_changes_to_announce() -> None:
    text = text_of(closed(TRAINING_SCOPE, **NEVER))
    assert "Was not known for 2 min" in text
    assert "baseline" in text
    assert "reported in messages" not in text


def test_an_account_without_an_answer_since_the_start_may_have_changes_to_announce() -> None:
    assert "reported in messages of its own" in text_of(closed(ACCOUNT_SCOPE, last_good_at=None))


def test_the_end_of_a_store_failure_has_its_duration() -> None:
    assert "Was paused for 9 min" in text_of(CASES["store-recovered"])
    assert "(disk full)" in text_of(CASES["store-recovered"])


@pytest.mark.parametrize("kind", [IncidentChangeKind.OPENED, IncidentChangeKind.UPDATED, IncidentChangeKind.CLOSED])
@pytest.mark.parametrize("text", [text for text in HOSTILE if text.strip()])
def test_no_hostile_detail_gets_into_our_own_words(text: str, kind: IncidentChangeKind) -> None:
    def words(detail: str) -> list[str]:
        event = incident_event(SERVICE_SCOPE, kind, cause=Cause.DNS, detail=detail)
        return [piece for line in lines_of(event) for piece in line if isinstance(piece, str)]

    assert words(text) == words("x")
