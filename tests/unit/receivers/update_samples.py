"""Samples of updates of an interval service that ended, and of a result that is missing."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

from watcher.core.event import Event
from watcher.core.training.decision import DecisionContext
from watcher.core.training.model import Snapshot, TrainingRef
from watcher.core.training.retraining import Retraining, RetrainingRef
from watcher.core.updates.decision import UpdateTimes, decide_updates
from watcher.core.updates.model import EMPTY_LOG, ShownUpdate
from watcher.core.usability.decision import decide_result
from watcher.core.usability.facts import ResultState

BEFORE: Final = datetime(2026, 11, 27, 3, 25, 2, tzinfo=UTC)
_TRAINING: Final = Snapshot(
    ref=TrainingRef("main", "6wxgu1abcde", "personalRecommend", "maqll0abcde"),
    status="completed",
    seen_after=BEFORE,
    first_seen_at=BEFORE - timedelta(days=3),
    seq=3,
    updates=EMPTY_LOG,
    record={"hpConfig": {"is_enabled": False}, "createdDate": "2026-11-24T09:14:07.031", "inference": True},
)


def sample(status: str, finished: str | None, late: timedelta = timedelta()) -> Event:
    """Return the event about the end of an update."""
    context = DecisionContext(
        epoch="e1",
        polling_since=BEFORE - timedelta(days=1) + late,
        service_name="shop-main",
        labels={"team": "search"},
        links={"console": "https://console.example/6wxgu1abcde"},
    )
    update = ShownUpdate(
        version="p0000kkkkkk",
        status=status,
        created_date="2026-11-27T12:00:01.020",
        finished_date=finished,
        counts={"inputUsersCnt": 1204},
    )
    times = UpdateTimes(after=BEFORE - timedelta(minutes=5), before=BEFORE, now=BEFORE)
    (event,) = decide_updates(_TRAINING, [update], context, times).events
    return event


UPDATE_CASES: Final = {
    "update-failed": sample("learningFailed", "2026-11-27T12:21:44.903"),
    "update-failed-late": sample("updateFailed", None, late=timedelta(days=1)),
    "update-succeeded": sample("completed", "2026-11-27T12:21:44.903"),
}

_USABLE: Final = Retraining(
    ref=RetrainingRef.of(_TRAINING.ref), since=_TRAINING.first_seen_at, result_waits=(240.0, 0.0, 5_400.0)
)
_LATE: Final = decide_result(
    replace(
        _TRAINING,
        changed_after=BEFORE - timedelta(hours=3, minutes=1),
        changed_before=BEFORE - timedelta(hours=3),
        result=ResultState.AWAITED,
        record={**_TRAINING.record, "inference": False},
    ),
    _USABLE,
    BEFORE - timedelta(seconds=1),
    DecisionContext(epoch="e1", polling_since=BEFORE - timedelta(days=1), service_name="shop-main"),
    BEFORE,
).event
assert _LATE is not None
UNUSABLE_CASES: Final = {"unusable": _LATE}
