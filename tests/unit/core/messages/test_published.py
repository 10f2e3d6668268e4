"""Events as JSON for programs: the stored facts with advice and remedy as text."""

from __future__ import annotations

import pytest

from tests.support.event_facts import incident_of, receiver_of
from tests.unit.receivers.samples import CASES, sample_event
from watcher.core.delivery.facts import Remedy, RemedyCode
from watcher.core.event_json import to_json
from watcher.core.messages.advice import advice_for
from watcher.core.messages.published import published_event, published_incident, published_receiver
from watcher.core.messages.receiver import remedy_text

INCIDENT_KEYS = [
    "id",
    "kind",
    "cause",
    "detail",
    "advice",
    "evidence",
    "since",
    "last_good_at",
    "covers",
    "lasted_seconds",
    "services",
    "previous",
    "paused_until",
]


@pytest.mark.parametrize("case", [case for case, event in CASES.items() if event.incident is not None])
def test_an_incident_has_its_advice_as_text(case: str) -> None:
    facts = incident_of(CASES[case])
    published = published_incident(facts)
    assert list(published) == INCIDENT_KEYS
    assert published["advice"] == (advice_for(facts) if facts.lasted_seconds is None else "")


@pytest.mark.parametrize(
    ("case", "text"),
    [
        ("receiver-failing", remedy_text(Remedy(code=RemedyCode.PARKED), "ml-ops")),
        ("receiver-recovered", ""),
        ("undelivered", "aitems-watcher deliveries retry msg_a4v7kq2x0"),
    ],
)
def test_a_receiver_has_its_remedy_as_text(case: str, text: str) -> None:
    assert published_receiver(receiver_of(CASES[case]))["remedy"] == text


def test_an_event_of_a_training_is_published_as_it_is_stored() -> None:
    assert published_event(sample_event()) == to_json(sample_event())


def test_an_event_is_published_with_its_texts() -> None:
    assert published_event(CASES["account-denied"])["incident"] == published_incident(
        incident_of(CASES["account-denied"])
    )
    assert published_event(CASES["undelivered"])["receiver"] == published_receiver(receiver_of(CASES["undelivered"]))
