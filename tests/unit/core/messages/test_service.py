"""The message about a service that a pattern watches."""

from __future__ import annotations

import pytest

from tests.unit.receivers.samples import CASES, sample_event, sample_service_event
from watcher.core.event import Event, Kind
from watcher.core.messages.message import Style
from watcher.core.messages.service import is_about_service
from watcher.core.messages.text import plain_text
from watcher.core.messages.training import compose


def text_of(event: Event, style: Style | None = None) -> str:
    message = compose(event, style or Style())
    return "\n".join(plain_text(line) for line in (message.title, *message.facts, *message.marks, message.muted))


@pytest.mark.parametrize(
    ("kind", "headline"),
    [
        (Kind.APPEARED, "New service"),
        (Kind.GONE, "Service no longer exists"),
        (Kind.BACK, "Service exists again"),
    ],
)
def test_a_service_has_a_message_of_its_own(kind: Kind, headline: str) -> None:
    text = text_of(sample_service_event(kind))
    assert text.startswith(f"{headline} · shop-main\n")
    assert "Training" not in text
    assert "(none)" not in text
    assert "Console" in text


def test_a_service_without_a_name_shows_its_id_and_several_accounts_are_distinguished() -> None:
    event = sample_service_event(Kind.GONE, "6wxother")
    assert text_of(event).startswith("Service no longer exists · 6wxother\n")
    assert "main/6wxother" in text_of(event, Style(several_accounts=True))


def test_a_service_that_is_gone_says_which_lists_lack_it_and_what_follows() -> None:
    text = text_of(sample_service_event(Kind.GONE))
    assert "Missing from 2 service lists in a row; its trainings are polled no more" in text


@pytest.mark.parametrize(
    ("reason", "evidence"),
    [
        ("not-found", "2 direct queries in a row do not find it"),
        ("not-listed", "missing from 2 lists in a row, and a direct query does not find it"),
        (
            "not-listed-with-others",
            "missing from 2 lists in a row with others; direct queries for some of them find none",
        ),
    ],
)
def test_a_training_that_is_gone_names_the_evidence_of_its_own_rule(reason: str, evidence: str) -> None:
    text = text_of(sample_event(kind=Kind.GONE, to_status=None, reason=reason))
    assert f"Last status learning; {evidence}\n" in text


def test_an_event_about_an_incident_a_training_or_a_receiver_is_not_about_the_presence_of_a_service() -> None:
    assert [case for case, event in CASES.items() if is_about_service(event)] == [
        "service-appeared",
        "service-gone",
        "service-back",
    ]
