"""The ids, types and marks of events."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from watcher.core.event import Event, Kind, Mark, delivery_id, event_id

TIME = datetime(2026, 11, 23, 2, 20, 10, 123456, tzinfo=UTC)


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
        "after": TIME,
        "before": TIME,
        "recorded_at": TIME,
        "labels": {"team": "search"},
        "skipped": ("waiting",),
        "record": {"hpConfig": {"is_enabled": False}, "inference": True},
    }
    return Event(**{**facts, **changes})  # type: ignore[arg-type]


def test_an_id_depends_on_epoch_subject_and_number() -> None:
    ids = {event_id(epoch, subject, seq) for epoch in "ab" for subject in "cd" for seq in (1, 2)}
    assert len(ids) == 8
    assert event_id("a", "c", 1) == event_id("a", "c", 1)


def test_an_id_keeps_neighbouring_parts_apart() -> None:
    assert event_id("a", "bc", 1) != event_id("ab", "c", 1)
    assert delivery_id(("a", "b"), "c") != delivery_id(("ab",), "c")


def test_an_event_with_a_naive_time_is_rejected() -> None:
    with pytest.raises(ValueError, match="naive"):
        make(after=TIME.replace(tzinfo=None))


def test_the_webhook_type_names_the_subject_and_the_kind() -> None:
    assert make().type == "training.failed"
    assert make(kind=Kind.UNKNOWN_STATUS).type == "training.unknown-status"


def test_an_event_has_a_mark_for_each_reservation_in_a_fixed_order() -> None:
    doubtful = make(late=True, restored=True, new=True, confirmed=False, to_status="paused", fallback_for="hook")
    assert doubtful.marks == tuple(Mark)
    assert make().marks == ()


@pytest.mark.parametrize("kind", [Kind.APPEARED, Kind.RESTARTED, Kind.BACK, Kind.UNKNOWN_STATUS])
def test_an_undocumented_status_is_marked_in_an_event_of_any_kind(kind: Kind) -> None:
    assert make(kind=kind, to_status="paused").marks == (Mark.UNKNOWN_STATUS,)
