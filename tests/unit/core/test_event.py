"""Ids that stay, and events that survive being stored."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from watcher.core.event import Event, Kind, delivery_id, event_id, from_json, to_json

MOMENT = datetime(2026, 11, 23, 2, 20, 10, 123456, tzinfo=UTC)


def make(**changes: object) -> Event:
    facts: dict[str, object] = {
        "id": event_id("e1", "training:main/s/pop/v", 1),
        "kind": Kind.FAILED,
        "subject": "training:main/s/pop/v",
        "seq": 1,
        "reason": "ended",
        "account": "main",
        "service": "s",
        "training_type": "pop",
        "version": "v",
        "from_status": "learning",
        "to_status": "learningFailed",
        "after": MOMENT,
        "before": MOMENT,
        "recorded_at": MOMENT,
        "labels": {"team": "search"},
        "skipped": ("waiting",),
        "record": {"hpConfig": {"is_enabled": False}, "inference": True},
    }
    return Event(**{**facts, **changes})  # type: ignore[arg-type]


def test_an_event_reads_back_as_it_was_stored() -> None:
    assert from_json(json.loads(json.dumps(to_json(make())))) == make()


def test_an_id_depends_on_epoch_subject_and_number() -> None:
    ids = {event_id(epoch, subject, seq) for epoch in "ab" for subject in "cd" for seq in (1, 2)}
    assert len(ids) == 8
    assert event_id("a", "c", 1) == event_id("a", "c", 1)


def test_an_id_does_not_mix_up_neighbouring_parts() -> None:
    assert event_id("a", "bc", 1) != event_id("ab", "c", 1)
    assert delivery_id(("a", "b"), "c") != delivery_id(("ab",), "c")


def test_a_naive_time_is_refused_at_birth() -> None:
    with pytest.raises(ValueError, match="naive"):
        make(after=MOMENT.replace(tzinfo=None))


def test_the_webhooks_type_names_what_it_is_about_and_the_kind() -> None:
    assert make().type == "training.failed"
    assert make(kind=Kind.UNKNOWN_STATUS).type == "training.unknown-status"
