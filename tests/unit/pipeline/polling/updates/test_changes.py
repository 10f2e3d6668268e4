"""Which trainings have their updates asked for, and what lists of updates change."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tests.unit.pipeline.polling.test_cache import RowStore
from watcher.core.batch import Batch
from watcher.core.event import Kind
from watcher.core.polling.plan import Poll, WatchAttributes
from watcher.core.polling.result import PollResult, PollState, UnreadableRecord
from watcher.core.polling.schedule import Cadence
from watcher.core.training.model import ServiceRef, Snapshot, TrainingRef
from watcher.core.training.retraining import Retraining, RetrainingRef
from watcher.core.updates.cycle import Cycle
from watcher.core.updates.model import ShownUpdate, UpdateLog
from watcher.core.updates.result import UpdateList
from watcher.core.updates.schedule import ServiceSchedule
from watcher.pipeline.polling.cache import PollCache
from watcher.pipeline.polling.targets import PollContext
from watcher.pipeline.polling.updates.changes import (
    ServiceAnswers,
    UpdateChanges,
    update_changes,
    updated_trainings,
    updates_key,
)

NOW = datetime(2026, 11, 29, tzinfo=UTC)
HOUR = timedelta(hours=1)
SERVICE = ServiceRef("main", "s")
POLL = Poll(
    service=SERVICE,
    cadence=Cadence(interval=HOUR / 60, idle_interval=HOUR / 12),
    attributes=WatchAttributes(name="shop"),
)
INTERVAL = ServiceSchedule(type="interval", status="scheduled", learning_interval="hour1")
CYCLE = Cycle(period=HOUR, since=NOW - 9 * HOUR)
RETRAINING = Retraining(ref=RetrainingRef("main", "s", "pop"), since=NOW - 99 * HOUR)


def snapshot(version: str, created: int, status: str = "completed", **facts: object) -> Snapshot:
    known = Snapshot(
        ref=TrainingRef("main", "s", "pop", version),
        status=status,
        seen_after=NOW,
        first_seen_at=NOW - 99 * HOUR,
        record={"createdDate": f"2026-11-{created:02}T00:00:00.000"},
    )
    return replace(known, **facts)  # type: ignore[arg-type]


async def cache_of(state: Retraining, *snapshots: Snapshot) -> PollCache:
    cache = PollCache(RowStore())
    cache.note(snapshots, [PollState(key=updates_key(SERVICE), good_asked_at=NOW - HOUR / 12)])
    await cache.commit(Batch(retrainings=(state,)))
    return cache


def changes(
    cache: PollCache, *shown: ShownUpdate, schedule: ServiceSchedule = INTERVAL, unreadable: bool = False
) -> UpdateChanges:
    records = (UnreadableRecord(reason="", identity=(), sample={}),) if unreadable else ()
    answer = UpdateList(
        training=TrainingRef("main", "s", "pop", "v1"), shown=shown, asked_at=NOW, answered_at=NOW, unreadable=records
    )
    listed = PollResult(shown=(), asked_at=NOW, answered_at=NOW, digest=b"", server_date=NOW)
    context = PollContext(poll=POLL, polling_since=NOW - HOUR)
    return update_changes(cache, context, ServiceAnswers(listed=listed, schedule=schedule, lists=[answer]), NOW)


async def test_the_newest_completed_version_of_a_type_counts_and_those_with_an_update_in_progress() -> None:
    going_on = UpdateLog(statuses={"u1": "learning"})
    cache = await cache_of(
        RETRAINING,
        snapshot("v1", 1),
        snapshot("v2", 2, updates=going_on),
        snapshot("v3", 3),
        snapshot("v4", 4, status="learning"),
        snapshot("v5", 5, gone=True),
        snapshot("v6", 6, status="learningFailed"),
    )
    assert [ref.version for ref in updated_trainings(cache, POLL)] == ["v2", "v3"]


@pytest.mark.parametrize(
    ("schedule", "shown", "is_expected"),
    [
        (INTERVAL, True, True),
        (INTERVAL, False, False),
        (replace(INTERVAL, status="learnable"), True, False),
        (replace(INTERVAL, learning_interval="day1"), True, False),
    ],
    ids=["updates", "no update ever", "cycle at rest", "unknown cycle"],
)
async def test_a_type_is_expected_once_an_update_of_it_was_seen(
    schedule: ServiceSchedule, *, shown: bool, is_expected: bool
) -> None:
    cache = await cache_of(RETRAINING, snapshot("v1", 1))
    updates = [ShownUpdate(version="u1", status="completed")] if shown else []
    found = changes(cache, *updates, schedule=schedule).retrainings
    assert [state.cycle for state in found] == ([Cycle(period=HOUR, since=NOW)] if is_expected else [])


@pytest.mark.parametrize("unreadable", [False, True])
async def test_a_list_with_an_unreadable_record_shows_no_absence(*, unreadable: bool) -> None:
    cache = await cache_of(replace(RETRAINING, cycle=CYCLE), snapshot("v1", 1, updates=UpdateLog(statuses={})))
    kinds = [event.kind for event in changes(cache, unreadable=unreadable).events]
    assert kinds == ([] if unreadable else [Kind.OVERDUE])


async def test_a_changed_cycle_begins_a_new_period_and_one_that_ends_expects_nothing() -> None:
    cache = await cache_of(replace(RETRAINING, cycle=CYCLE), snapshot("v1", 1))
    update = ShownUpdate(version="u1", status="completed")
    (longer,) = changes(cache, update, schedule=replace(INTERVAL, learning_interval="hour3")).retrainings
    assert longer.cycle == Cycle(period=3 * HOUR, since=NOW)
    (ended,) = changes(cache, update, schedule=replace(INTERVAL, type="batch")).retrainings
    assert ended.cycle is None
