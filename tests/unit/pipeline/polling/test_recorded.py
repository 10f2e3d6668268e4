"""A training is decided again once its snapshot or its record differs, also where the last list has shown it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.unit.pipeline.polling.test_cache import RowStore
from watcher.core.json_object import JsonObject, json_object
from watcher.core.polling.plan import Poll, WatchAttributes
from watcher.core.polling.schedule import Cadence
from watcher.core.training.model import ListedTraining, ServiceRef, Snapshot, Source, TrainingRef, UnconfirmedStatus
from watcher.pipeline.polling.cache import PollCache
from watcher.pipeline.polling.recorded import differing_from_recorded

NOW = datetime(2026, 11, 28, tzinfo=UTC)
SERVICE = ServiceRef("main", "s")
REF = TrainingRef("main", "s", "pop", "v1")
CADENCE = Cadence(interval=timedelta(seconds=30), idle_interval=timedelta(seconds=60))
POLL = Poll(service=SERVICE, cadence=CADENCE)
TEXT = b'{"version":"v1","inference":false}'
PENDING = UnconfirmedStatus(status="completed", asked_at=NOW, answered_at=NOW, source=Source.LIST)


def listed(status: str = "learning", record: Mapping[str, object] | None = None) -> ListedTraining:
    return ListedTraining(REF, status, JsonObject(TEXT, frozenset({"version"})) if record is None else record)


def recorded(record: Mapping[str, object]) -> PollCache:
    cache = PollCache(RowStore())
    cache.note([Snapshot(ref=REF, status="learning", seen_after=NOW, first_seen_at=NOW, record=record)], [])
    return cache


@pytest.mark.parametrize("record", [{"inference": False}, json_object({"inference": False})], ids=str)
def test_an_equal_record_is_kept_once(record: Mapping[str, object]) -> None:
    cache, item = recorded(record), listed()
    assert differing_from_recorded(cache, POLL, [item]) == []
    snapshot = cache.training(REF)
    assert snapshot is not None
    assert snapshot.record is item.record


CHANGES: list[dict[str, Any]] = [
    {"status": "completed"},
    {"status": None},
    {"pending": PENDING},
    {"absent": 1},
    {"gone": True},
    {"record": json_object({"inference": True})},
]


@pytest.mark.parametrize("change", CHANGES, ids=str)
def test_a_list_without_a_change_is_decided_after_the_snapshot_has_changed(change: dict[str, Any]) -> None:
    item = listed()
    cache = recorded(item.record)
    assert differing_from_recorded(cache, POLL, [item]) == []
    known = cache.training(REF)
    assert known is not None
    cache.note([replace(known, **change)], [])
    assert differing_from_recorded(cache, POLL, [item]) == [item]


@pytest.mark.parametrize("item", [listed("completed"), listed(record={"inference": True}), listed(record={})], ids=str)
def test_another_status_or_record_is_decided(item: ListedTraining) -> None:
    cache = recorded({"inference": False})
    assert differing_from_recorded(cache, POLL, [listed()]) == []
    assert differing_from_recorded(cache, POLL, [item]) == [item]


def test_a_training_that_is_not_watched_is_not_decided() -> None:
    joined = replace(POLL, whole_service=False, single={replace(REF, version="v2"): WatchAttributes()})
    assert differing_from_recorded(recorded({}), joined, [listed("completed")]) == []
