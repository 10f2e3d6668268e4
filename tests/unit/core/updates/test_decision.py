"""Each update that ends is one event; the first list is a baseline, and an unknown word is data."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from watcher.core.event import Event, Kind
from watcher.core.event_json import from_json, to_json
from watcher.core.training.decision import DecisionContext
from watcher.core.training.model import Phase, Snapshot, TrainingRef
from watcher.core.updates.decision import UpdateDecision, UpdateTimes, decide_updates, update_phase
from watcher.core.updates.model import ShownUpdate

NOW = datetime(2026, 11, 29, tzinfo=UTC)
AFTER = NOW - timedelta(minutes=5)
SNAPSHOT = Snapshot(
    ref=TrainingRef("main", "s", "pop", "v1"),
    status="completed",
    seen_after=NOW,
    first_seen_at=NOW - timedelta(days=9),
    seq=4,
)
CONTEXT = DecisionContext(epoch="e1", polling_since=NOW - timedelta(days=1), service_name="shop", labels={"team": "a"})


def decide(snapshot: Snapshot, after: datetime | None = AFTER, **statuses: str) -> UpdateDecision:
    """Decide on a list with these updates, each with its status."""
    shown = [ShownUpdate(version=version, status=status) for version, status in statuses.items()]
    return decide_updates(snapshot, shown, CONTEXT, UpdateTimes(after=after, before=NOW, now=NOW))


def ends(decision: UpdateDecision) -> list[tuple[str, str]]:
    """Return the kind and the update of each event."""
    return [(event.kind.value, event.update.version) for event in decision.events if event.update is not None]


@pytest.mark.parametrize("after", [None, AFTER])
def test_the_first_list_is_a_silent_baseline(after: datetime | None) -> None:
    first = decide(SNAPSHOT, after, u1="completed", u2="learningFailed", u3="learning")
    assert (first.events, first.snapshot.seq, first.has_started) == ((), 4, False)
    assert ends(decide(first.snapshot, u1="completed", u2="learningFailed", u3="completed")) == [
        ("update-succeeded", "u3")
    ]


def test_the_updates_of_a_version_that_completed_since_the_last_list_are_all_new() -> None:
    new = Snapshot(
        ref=SNAPSHOT.ref,
        status="completed",
        seen_after=NOW,
        first_seen_at=NOW,
        changed_after=AFTER,
        changed_before=NOW - timedelta(minutes=1),
    )
    first = decide(new, u1="learningFailed")
    assert ends(first) == [("update-failed", "u1")]
    assert first.has_started


def test_an_end_is_one_event_with_its_number_its_bounds_and_the_finish_time() -> None:
    known = decide(SNAPSHOT, u1="learning").snapshot
    update = ShownUpdate(
        version="u1",
        status="completed",
        created_date="2026-11-29T08:00:00.1",
        finished_date="2026-11-29T08:21:00.1",
        counts={"inputUsersCnt": 7},
    )
    decision = decide_updates(known, [update], CONTEXT, UpdateTimes(after=AFTER, before=NOW, now=NOW))
    (event,) = decision.events
    assert (event.subject, event.seq, decision.snapshot.seq) == (SNAPSHOT.ref.subject, 5, 5)
    assert (event.type, event.from_status, event.to_status) == ("training.update-succeeded", None, None)
    assert (event.after, event.before, event.late) == (AFTER, NOW, False)
    assert (event.service_name, event.labels) == ("shop", {"team": "a"})
    assert event.update is not None
    assert event.update.finished_date == "2026-11-29T08:21:00.1"
    assert from_json(to_json(event)) == event
    assert decide(decision.snapshot, u1="completed") == UpdateDecision(snapshot=decision.snapshot)


def test_an_end_while_the_watcher_was_away_is_late() -> None:
    known = decide(SNAPSHOT, u1="learning").snapshot
    assert decide(known, NOW - timedelta(days=2), u1="learningFailed").events[0].late


@pytest.mark.parametrize(
    ("before", "shown", "kinds"),
    [
        ("completed", "learning", []),
        ("completed", "brandNew", []),
        ("completed", "learningFailed", ["update-failed"]),
        ("learningFailed", "completed", ["update-succeeded"]),
        ("learningFailed", "requestFailed", []),
        ("learning", "brandNew", []),
        ("brandNew", "completed", ["update-succeeded"]),
    ],
)
def test_an_ended_update_stays_ended_unless_it_ends_otherwise(before: str, shown: str, kinds: list[str]) -> None:
    decision = decide(decide(SNAPSHOT, u1=before).snapshot, u1=shown)
    assert [kind for kind, _ in ends(decision)] == kinds


def test_an_update_that_an_older_answer_lacks_is_no_news_when_it_is_back() -> None:
    known = decide(SNAPSHOT, u1="completed").snapshot
    known = decide(known, u2="completed").snapshot
    assert decide(known, u1="completed").events == ()
    assert decide(known, u1="completed", u2="completed").events == ()


def test_several_ends_in_one_list_are_events_in_the_order_of_their_dates() -> None:
    known = decide(SNAPSHOT).snapshot
    shown = [
        ShownUpdate(version=version, status="completed", finished_date=f"2026-11-29T0{hour}:00:00")
        for version, hour in (("late", 9), ("early", 3))
    ]
    decision = decide_updates(known, shown, CONTEXT, UpdateTimes(after=AFTER, before=NOW, now=NOW))
    assert [event.update and event.update.version for event in decision.events] == ["early", "late"]
    assert [event.seq for event in decision.events] == [5, 6]


@pytest.mark.parametrize(
    ("status", "phase"),
    [
        ("completed", Phase.SUCCEEDED),
        ("learningFailed", Phase.FAILED),
        ("updateFailed", Phase.FAILED),
        ("failed", Phase.FAILED),
        ("learning", Phase.IN_PROGRESS),
        ("failedOver", Phase.UNKNOWN),
        ("success", Phase.UNKNOWN),
    ],
)
def test_the_words_of_trainings_and_every_word_that_ends_with_failed_are_read(status: str, phase: Phase) -> None:
    assert update_phase(status) is phase


def test_a_clock_that_was_set_back_does_not_swap_the_bounds() -> None:
    known = decide(SNAPSHOT, u1="learning").snapshot
    event: Any = decide(known, NOW + timedelta(hours=1), u1="completed").events[0]
    assert isinstance(event, Event)
    assert event.kind is Kind.UPDATE_SUCCEEDED
    assert event.after <= event.before
