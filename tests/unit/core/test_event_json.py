"""Events survive being stored, also by an older version."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from tests.unit.receivers.samples import CASES, GROUPS
from watcher.core.delivery.facts import Remedy, RemedyCode
from watcher.core.event import Event
from watcher.core.event_json import from_json, to_json
from watcher.core.messages.receiver import remedy_text

EVERY_EVENT = CASES | {f"{name}-{event.id}": event for name, (events, _) in GROUPS.items() for event in events}
OLD_PARKED = "Fix the cause that the reason names, then run `aitems-watcher reload`; restart the watcher where …"
OLD_REMOVED = "It is not in the configuration any more: write it there again under this name and run …"


def stored(event: Event) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(json.dumps(to_json(event)))
    return document


def stored_by_an_older_version(event: Event, **texts: str) -> dict[str, Any]:
    """Return an event with its advice and remedy as the English text that older versions stored."""
    document = stored(event)
    if document["incident"] is not None:
        document["incident"]["advice"] = "Check base_url for a typo."
    if document["receiver"] is not None:
        document["receiver"] |= {"remedy": "", **texts}
    return document


@pytest.mark.parametrize("case", EVERY_EVENT)
def test_an_event_reads_back_as_it_was_stored(case: str) -> None:
    # The receiver that a delivery stands in for belongs to the delivery.
    assert from_json(stored(EVERY_EVENT[case])) == replace(EVERY_EVENT[case], fallback_for=None)


@pytest.mark.parametrize("case", [case for case, event in CASES.items() if event.incident is not None])
def test_the_store_holds_no_advice(case: str) -> None:
    assert "advice" not in stored(CASES[case])["incident"]


def test_the_store_holds_the_remedy_as_a_code_with_its_parameter() -> None:
    dead_letter = CASES["undelivered"]
    assert stored(CASES["receiver-failing"])["receiver"]["remedy"] == {"code": "parked", "delivery_id": None}
    assert stored(CASES["receiver-recovered"])["receiver"]["remedy"] is None
    remedy: Mapping[str, object] = stored(dead_letter)["receiver"]["remedy"]
    assert remedy == {"code": "retry", "delivery_id": "msg_a4v7kq2x0"}


@pytest.mark.parametrize("case", [case for case, event in CASES.items() if event.incident is not None])
def test_an_incident_that_an_older_version_stored_is_read_without_its_advice(case: str) -> None:
    assert from_json(stored_by_an_older_version(CASES[case])) == CASES[case]


@pytest.mark.parametrize(
    ("case", "text"),
    [
        ("receiver-failing", OLD_PARKED),
        ("receiver-recovered", ""),
        ("undelivered", "aitems-watcher deliveries retry msg_a4v7kq2x0"),
        ("undelivered-storm", "aitems-watcher deliveries retry --all-dead --receiver ml-ops"),
    ],
)
def test_a_remedy_that_an_older_version_stored_as_text_becomes_its_code(case: str, text: str) -> None:
    assert from_json(stored_by_an_older_version(CASES[case], remedy=text)) == CASES[case]


def test_the_remedy_for_a_removed_receiver_follows_from_the_reason_of_an_older_event() -> None:
    old = stored_by_an_older_version(CASES["receiver-failing"], remedy=OLD_REMOVED, reason="receiver-removed")
    facts = from_json(old).receiver
    assert facts is not None
    assert facts.remedy == Remedy(code=RemedyCode.REMOVED)


@pytest.mark.parametrize(
    ("remedy", "text"),
    [
        (
            Remedy(code=RemedyCode.PARKED),
            "Repair the cause, then run aitems-watcher reload; after a change of env or credential, restart",
        ),
        (
            Remedy(code=RemedyCode.REMOVED),
            (
                "Configure it again under this name and run aitems-watcher reload, "
                "or end its alerts with aitems-watcher deliveries drop"
            ),
        ),
        (Remedy(code=RemedyCode.RETRY), "aitems-watcher deliveries retry --all-dead --receiver ml-ops"),
        (Remedy(code=RemedyCode.RETRY, delivery_id="msg_1"), "aitems-watcher deliveries retry msg_1"),
    ],
)
def test_a_remedy_is_written_where_it_is_shown(remedy: Remedy, text: str) -> None:
    assert remedy_text(remedy, "ml-ops") == text
