"""The events of a delivery are read from their JSON at the first use, and are those that were written."""

from __future__ import annotations

import json

import pytest

from tests.unit.receivers.samples import sample_event
from watcher.core.event import Event
from watcher.core.event_json import from_json, to_json
from watcher.core.stored_events import StoredEvents, ids_of


@pytest.fixture
def event() -> Event:
    return from_json(json.loads(json.dumps(to_json(sample_event()))))


def test_stored_events_are_those_that_were_written(event: Event) -> None:
    stored = StoredEvents([json.dumps(to_json(event))], [event.id])
    assert (stored[0], stored[:2], list(stored)) == (event, (event,), [event])
    assert stored == (event,)
    assert (event,) == stored
    assert hash(stored) == hash((event,))
    assert repr(stored) == repr((event,))
    assert stored[0] is stored[0]


def test_their_ids_and_number_are_known_without_reading_them(event: Event) -> None:
    unreadable = StoredEvents(["no JSON"], [event.id])
    assert (ids_of(unreadable), len(unreadable)) == ((event.id,), 1)
    assert ids_of((event,)) == (event.id,)
