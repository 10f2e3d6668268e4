"""The end of an incident says the opposite of its beginning, for every cause and subject."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.unit.receivers.samples import (
    ACCOUNT_SCOPE,
    EVERY_SERVICE_SUBJECT,
    RECORDED,
    SERVICE_SCOPE,
    TRAINING_SCOPE,
    incident_event,
)
from watcher.core.event import Event, PreviousCause
from watcher.core.incidents.events import IncidentScope
from watcher.core.incidents.evidence import Evidence
from watcher.core.incidents.model import IncidentChangeKind
from watcher.core.messages.text import plain_text
from watcher.core.messages.training import compose
from watcher.core.polling.result import Cause

REFUSED = {
    Cause.KEY: (401, "AiTEMS accepts the key now"),
    Cause.PERMISSION: (403, "Key has permission for AiTEMS now"),
    Cause.QUOTA: (429, "AiTEMS' API quota allows requests again"),
    Cause.THROTTLE: (429, "AiTEMS no longer limits the request rate"),
    Cause.RATE: (429, "AiTEMS no longer limits the request rate"),
    Cause.REFUSED: (400, "AiTEMS accepts requests now"),
    Cause.CLOCK: (401, "AiTEMS accepts requests now"),
}
SILENT = [Cause.DNS, Cause.CONNECT, Cause.TLS, Cause.DEADLINE, Cause.RESET, Cause.SERVER, Cause.BAD_ANSWER]
SCOPES: dict[str, tuple[IncidentScope, dict[str, Any]]] = {
    "account": (ACCOUNT_SCOPE, {}),
    "service list": (ACCOUNT_SCOPE, {"subject": EVERY_SERVICE_SUBJECT}),
    "service": (SERVICE_SCOPE, {}),
    "training": (TRAINING_SCOPE, {}),
}
every_scope = pytest.mark.parametrize(("scope", "facts"), SCOPES.values(), ids=SCOPES)


def ended(scope: IncidentScope, cause: Cause, http: int | None = None, **facts: Any) -> Event:
    facts = {"detail": "", "evidence": Evidence(http_status=http)} | facts
    return incident_event(scope, IncidentChangeKind.CLOSED, 2, cause=cause, **facts)


def headline(event: Event) -> str:
    return compose(event).headline


@every_scope
@pytest.mark.parametrize("cause", REFUSED)
def test_the_end_of_a_refusal_says_that_it_is_accepted(scope: IncidentScope, facts: Any, cause: Cause) -> None:
    http, text = REFUSED[cause]
    event = ended(scope, cause, http, **facts)
    assert headline(event) == text
    assert f"(HTTP {http})" in "\n".join(map(plain_text, compose(event).facts))


@every_scope
@pytest.mark.parametrize("cause", SILENT)
def test_the_end_of_silence_says_that_it_answers_again(scope: IncidentScope, facts: Any, cause: Cause) -> None:
    assert headline(ended(scope, cause, **facts)) == "AiTEMS answers again"


@pytest.mark.parametrize("cause", SILENT)
def test_what_never_answered_does_not_answer_again(cause: Cause) -> None:
    assert headline(ended(ACCOUNT_SCOPE, cause, last_good_at=None)) == "AiTEMS answers now"


def test_every_cause_has_a_headline_of_its_end() -> None:
    assert {*REFUSED, *SILENT, Cause.NOT_FOUND} == set(Cause)


@pytest.mark.parametrize(
    ("name", "begins", "ends"),
    [
        ("account", "AiTEMS refuses the request (HTTP 404)", "AiTEMS accepts requests now"),
        ("service list", "AiTEMS refuses the request (HTTP 404)", "AiTEMS accepts requests now"),
        ("service", "AiTEMS does not know this service", "AiTEMS knows this service now"),
        ("training", "AiTEMS does not know this training", "AiTEMS knows this training now"),
    ],
)
def test_only_a_service_or_a_training_is_unknown(name: str, begins: str, ends: str) -> None:
    scope, facts = SCOPES[name]
    evidence = Evidence(http_status=404)
    assert headline(incident_event(scope, cause=Cause.NOT_FOUND, evidence=evidence, **facts)) == begins
    assert headline(ended(scope, Cause.NOT_FOUND, 404, **facts)) == ends


@pytest.mark.parametrize(
    ("first", "last", "text"),
    [
        (Cause.DNS, Cause.KEY, "AiTEMS accepts the key now"),
        (Cause.KEY, Cause.DNS, "AiTEMS answers again"),
        (Cause.PERMISSION, Cause.QUOTA, "AiTEMS' API quota allows requests again"),
    ],
)
def test_the_latest_cause_decides_and_both_are_named(first: Cause, last: Cause, text: str) -> None:
    previous = PreviousCause(cause=first.value, detail="", until=RECORDED - timedelta(minutes=1))
    event = ended(ACCOUNT_SCOPE, last, previous=previous)
    assert headline(event) == text
    assert ", then " in "\n".join(map(plain_text, compose(event).facts))


def test_a_service_that_first_did_not_answer_was_not_unknown_all_the_time() -> None:
    previous = PreviousCause(
        cause=Cause.SERVER.value,
        detail="",
        until=RECORDED - timedelta(minutes=1),
        evidence=Evidence(http_status=503),
    )
    event = ended(SERVICE_SCOPE, Cause.NOT_FOUND, 404, previous=previous)
    (line,) = map(plain_text, compose(event).facts)
    assert line.startswith("Could not be polled for 2 min")
    assert line.endswith("(HTTP 503, then HTTP 404)")
