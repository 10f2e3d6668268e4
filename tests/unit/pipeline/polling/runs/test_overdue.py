"""A list shows a retraining as overdue only where it surely lacks a newer start."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.unit.pipeline.polling.test_cache import RowStore
from watcher.core.batch import Batch
from watcher.core.durations.current_run import Bounds, RunStart
from watcher.core.event import Event, Kind
from watcher.core.polling.plan import EVERY_SERVICE, Poll, WatchAttributes
from watcher.core.polling.result import PollResult, UnreadableRecord
from watcher.core.polling.schedule import Cadence
from watcher.core.training.absence import Missing
from watcher.core.training.decision import Decision, DecisionReason
from watcher.core.training.model import ServiceRef, Snapshot, Source, TrainingRef, UnconfirmedStatus
from watcher.core.training.overdue import RetrainingRules
from watcher.core.training.retraining import Retraining, RetrainingRef
from watcher.pipeline.polling.cache import PollCache
from watcher.pipeline.polling.runs.overdue import NO_ABSENCES, absences_in, changed_retrainings, earliest_overdue

NOW = datetime(2026, 11, 28, tzinfo=UTC)
HOUR = timedelta(hours=1)
REF = TrainingRef("main", "s", "pop", "v1")
RETRAINING = RetrainingRef("main", "s", "pop")
SNAPSHOT = Snapshot(ref=REF, status="completed", seen_after=NOW, first_seen_at=NOW - 30 * HOUR)
START = Bounds(after=NOW - 8 * HOUR, before=NOW - 8 * HOUR)
RULES = RetrainingRules(expect_every={"*": 6 * HOUR})
POLL = Poll(
    service=ServiceRef("main", "s"),
    cadence=Cadence(interval=timedelta(seconds=30), idle_interval=timedelta(minutes=5)),
    attributes=WatchAttributes(name="shop", retraining_rules=RULES),
)
RESULT = PollResult(shown=(), asked_at=NOW, answered_at=NOW, digest=b"", server_date=NOW)
BACK = UnconfirmedStatus(status="learning", asked_at=NOW, answered_at=NOW, source=Source.LIST)


async def cache_of(snapshot: Snapshot = SNAPSHOT, state: Retraining | None = None) -> PollCache:
    """Return a state with one training and its retraining."""
    cache = PollCache(RowStore())
    cache.note([snapshot], [])
    known = state or Retraining(ref=RETRAINING, since=NOW - 30 * HOUR, starts=(START,))
    await cache.commit(Batch(retrainings=(known,)))
    return cache


def change(**changes: Any) -> Event:
    facts: dict[str, Any] = {
        "id": "evt_1",
        "kind": Kind.APPEARED,
        "subject": REF.subject,
        "seq": 1,
        "reason": "",
        "account": "main",
        "service": "s",
        "training_type": "pop",
        "version": "v2",
        "from_status": None,
        "to_status": "requesting",
        "after": NOW - HOUR,
        "before": NOW,
        "recorded_at": NOW,
    }
    return Event(**{**facts, **changes})


def decided(event: Event | None = None, **changes: Any) -> Decision:
    return Decision(snapshot=replace(SNAPSHOT, **changes), reason=DecisionReason.UNCHANGED, event=event)


def unreadable(*identity: str | None) -> dict[str, Any]:
    return {"unreadable": (UnreadableRecord(reason="", identity=identity, sample={}),)}


def test_an_end_that_was_confirmed_late_is_not_the_latest_one() -> None:
    state = Retraining(ref=RETRAINING, since=NOW - 30 * HOUR)
    ended = {"kind": Kind.SUCCEEDED, "from_status": "learning", "to_status": "completed"}
    for version, hours_ago in (("v1", 3), ("v3", 1), ("v2", 2)):
        state = state.after(change(**ended, version=version, after=NOW - 9 * HOUR, before=NOW - hours_ago * HOUR))
    assert state.last_good is not None
    assert state.last_good.version == "v3"


async def test_a_list_that_was_asked_for_after_the_deadline_shows_it() -> None:
    cache = await cache_of()
    found = absences_in(cache, POLL, RESULT, [], NOW)
    (event,), (state,) = found.events, found.retrainings
    assert (event.kind, event.subject, event.seq, event.service_name) == (Kind.OVERDUE, RETRAINING.subject, 1, "shop")
    await cache.commit(Batch(retrainings=(state,), events=(event,)))
    assert absences_in(cache, POLL, RESULT, [], NOW) == NO_ABSENCES
    assert earliest_overdue(cache, POLL, NOW - 99 * HOUR) is None


@pytest.mark.parametrize(
    ("poll", "result", "decisions"),
    [
        ({}, {"asked_at": NOW - HOUR}, ()),
        ({}, {"server_date": NOW - HOUR}, ()),
        ({}, unreadable(), ()),
        ({}, unreadable("pop", None), ()),
        ({}, unreadable(None, "v2"), ()),
        ({}, unreadable("pop", "v2"), ()),
        ({}, {}, (decided(change()),)),
        ({}, {}, (decided(change(kind=Kind.SUCCEEDED, from_status="learning", to_status="completed")),)),
        ({}, {}, (decided(pending=BACK),)),
        ({"training": REF}, {}, ()),
        ({"whole_service": False, "single": {REF: WatchAttributes()}}, {}, ()),
        ({"service": ServiceRef("main", EVERY_SERVICE)}, {}, ()),
    ],
)
async def test_an_early_or_uncertain_answer_does_not(
    poll: dict[str, Any], result: dict[str, Any], decisions: Sequence[Decision]
) -> None:
    cache = await cache_of()
    assert absences_in(cache, replace(POLL, **poll), replace(RESULT, **result), decisions, NOW) == NO_ABSENCES


@pytest.mark.parametrize("identity", [("relatedItem", None), ("pop", "v1")])
async def test_an_unreadable_record_of_something_else_does_not_matter(identity: tuple[str | None, ...]) -> None:
    assert absences_in(await cache_of(), POLL, replace(RESULT, **unreadable(*identity)), [], NOW)


async def test_an_end_that_is_not_confirmed_yet_waits() -> None:
    cache = await cache_of(replace(SNAPSHOT, pending=replace(BACK, status="completed")))
    assert absences_in(cache, POLL, RESULT, [], NOW) == NO_ABSENCES


@pytest.mark.parametrize(
    ("event", "starts"),
    [
        (change(), 2),
        (change(kind=Kind.SUCCEEDED, to_status="completed"), 2),
        (change(kind=Kind.FAILED, to_status="learningFailed"), 2),
        (change(to_status="ready"), 1),
        (change(kind=Kind.PROGRESS, from_status="requesting", to_status="waiting"), 1),
        (change(kind=Kind.GONE, from_status="completed", to_status=None), 1),
        (change(kind=Kind.BACK, to_status="learning"), 1),
        (change(kind=Kind.STUCK, to_status="learning"), 1),
        (
            change(
                kind=Kind.RESTARTED,
                from_status="completed",
                run=RunStart(started_after=NOW - HOUR, started_before=NOW),
            ),
            2,
        ),
        (
            change(
                kind=Kind.PROGRESS,
                from_status="ready",
                run=RunStart(started_after=NOW - HOUR, started_before=NOW),
            ),
            2,
        ),
        (
            change(
                kind=Kind.PROGRESS,
                from_status="requesting",
                to_status="waiting",
                run=RunStart(started_after=NOW - 3 * HOUR, started_before=NOW - 2 * HOUR),
            ),
            1,
        ),
    ],
)
async def test_a_new_training_and_a_new_run_are_starts(event: Event, starts: int) -> None:
    reported = Retraining(ref=RETRAINING, since=NOW - 30 * HOUR, starts=(START,), reported=frozenset(Missing), seq=2)
    cache = await cache_of(state=reported)
    found = changed_retrainings(cache, [decided(event)], NO_ABSENCES)
    after = found[0] if found else reported
    assert (len(after.starts), after.seq) == (starts, 2)
    assert (Missing.START in after.reported) is (starts == 1)
    assert (Missing.COMPLETED in after.reported) is (event.kind is not Kind.SUCCEEDED)
    assert (after.last_good is not None) is (event.kind is Kind.SUCCEEDED)


async def test_the_first_training_of_a_type_begins_its_retraining() -> None:
    cache = PollCache(RowStore())
    (state,) = changed_retrainings(cache, [decided(), decided()], NO_ABSENCES)
    assert state == Retraining(ref=RETRAINING, since=SNAPSHOT.first_seen_at)
    await cache.commit(Batch(retrainings=(state,)))
    assert changed_retrainings(cache, [decided()], NO_ABSENCES) == ()
