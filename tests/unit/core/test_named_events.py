"""An event that names another one stores codes and ids; the title is written where it is shown."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from tests.unit.receivers.samples import CASES, sample_event
from watcher.core.delivery.facts import DeadLetterFacts, ReceiverFacts, WaitingEventFacts
from watcher.core.delivery.reason import text_reason
from watcher.core.event import Event, named_event
from watcher.core.event_json import from_json, to_json
from watcher.core.messages.published import published_receiver
from watcher.core.messages.text import plain_text
from watcher.core.messages.training import compose, named_title

OLD_TITLE = "Training failed · shop-main · pop · maqll0abcde"


def with_facts(case: str, **changes: Any) -> Event:
    event = CASES[case]
    assert event.receiver is not None
    return replace(event, receiver=replace(event.receiver, **changes))


def read_back(event: Event) -> Event:
    return from_json(json.loads(json.dumps(to_json(event))))


def facts_of(event: Event) -> ReceiverFacts:
    assert event.receiver is not None
    return event.receiver


@pytest.mark.parametrize("case", CASES)
def test_the_title_of_a_named_event_is_that_of_its_own_message(case: str) -> None:
    event = CASES[case]
    named = facts_of(read_back(with_facts("undelivered", deliveries=(_dead_letter(event),)))).deliveries[0].event
    assert named is not None
    assert named_title(named) == compose(event).title


@pytest.mark.parametrize("case", CASES)
def test_no_title_is_stored(case: str) -> None:
    stored = json.dumps(to_json(with_facts("undelivered", deliveries=(_dead_letter(CASES[case]),))), ensure_ascii=False)
    assert compose(CASES[case]).headline not in stored


def _dead_letter(event: Event) -> DeadLetterFacts:
    return DeadLetterFacts(id="msg_1", reason=text_reason("http 503"), event=named_event(event), more=2)


def test_titles_that_an_older_version_stored_are_shown_as_they_are() -> None:
    document = to_json(CASES["undelivered"])
    document["receiver"] |= {  # type: ignore[operator]
        "deliveries": [{"id": "msg_1", "reason": "http 503", "about": OLD_TITLE}],
        "urgent": [{"id": "evt_1", "about": OLD_TITLE}],
    }
    old = from_json(json.loads(json.dumps(document)))
    assert f"• msg_1 {OLD_TITLE}" in map(plain_text, compose(old).rows)
    assert read_back(old) == old
    published = published_receiver(facts_of(old))
    assert [item["about"] for item in published["deliveries"]] == [OLD_TITLE]
    assert [item["about"] for item in published["urgent"]] == [OLD_TITLE]


@pytest.mark.parametrize(("more", "ending"), [(0, "maqll0abcde"), (1, "and 1 more"), (39, "and 39 more")])
def test_a_dead_letter_of_several_events_counts_the_others(more: int, ending: str) -> None:
    item = DeadLetterFacts(id="msg_1", reason=text_reason("http 503"), event=named_event(sample_event()), more=more)
    event = with_facts("undelivered", deliveries=(item,))
    assert plain_text(compose(event).rows[0]).endswith(ending)
    assert published_receiver(facts_of(event))["deliveries"][0]["about"].endswith(ending)


def test_a_waiting_event_is_published_with_its_codes_and_its_title() -> None:
    event = with_facts("receiver-failing", urgent=(WaitingEventFacts(id="evt_1", event=named_event(sample_event())),))
    (published,) = published_receiver(facts_of(event))["urgent"]
    assert published["about"] == plain_text(compose(sample_event()).title)
    assert (published["event"]["kind"], published["event"]["version"]) == ("failed", "maqll0abcde")
