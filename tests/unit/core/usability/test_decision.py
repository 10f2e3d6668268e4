"""A completed training is reported where its inference result takes longer than those before, and only then."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from watcher.core.durations.current_run import Bounds
from watcher.core.event import Kind
from watcher.core.event_json import from_json, to_json
from watcher.core.training.absence import GoodVersion
from watcher.core.training.decision import DecisionContext
from watcher.core.training.model import Snapshot, TrainingRef
from watcher.core.training.retraining import Retraining, RetrainingRef
from watcher.core.usability.decision import ResultDecision, decide_result
from watcher.core.usability.facts import ResultState

NOW = datetime(2026, 11, 29, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
REF = TrainingRef("main", "s", "pop", "v2")
COMPLETED = Snapshot(
    ref=REF,
    status="completed",
    seen_after=NOW,
    changed_after=NOW - MINUTE,
    changed_before=NOW,
    first_seen_at=NOW,
    seq=3,
    result=ResultState.AWAITED,
    record={"inference": False},
)
WAITED = Retraining(ref=RetrainingRef.of(REF), since=NOW, result_waits=(120.0, 0.0))
CONTEXT = DecisionContext(epoch="e1", polling_since=NOW, service_name="shop")


def decide(minutes: float, snapshot: Snapshot = COMPLETED, state: Retraining = WAITED) -> ResultDecision:
    """Decide on an answer so many minutes after the completion."""
    asked_at = NOW + minutes * MINUTE
    return decide_result(snapshot, state, asked_at, CONTEXT, asked_at)


def with_result(snapshot: Snapshot = COMPLETED) -> Snapshot:
    return replace(snapshot, record={"inference": True})


@pytest.mark.parametrize(
    ("waits", "limit"), [((0.0,), 60), ((120.0, 0.0), 60), ((3600.0,), 90), ((60.0, 7200.0, 60.0), 180)]
)
def test_it_is_reported_once_after_its_limit(waits: tuple[float, ...], limit: float) -> None:
    state = replace(WAITED, result_waits=waits)
    assert decide(limit, state=state).event is None
    decision = decide(limit + 1, state=state)
    event = decision.event
    assert event is not None
    assert (event.kind, event.type, event.seq, decision.snapshot.seq) == (Kind.UNUSABLE, "training.unusable", 4, 4)
    assert event.unusable is not None
    assert (event.unusable.limit, event.unusable.versions) == (limit * MINUTE, len(waits))
    assert (event.from_status, event.to_status, event.service_name) == (None, None, "shop")
    assert from_json(to_json(event)) == event
    assert decide(9 * limit, decision.snapshot, state).event is None


def test_a_result_in_time_teaches_its_wait_and_a_late_one_too() -> None:
    found = decide(30, with_result())
    assert (found.event, found.snapshot.result) == (None, ResultState.FOUND)
    assert found.retraining.result_waits == (120.0, 0.0, 1800.0)
    late = decide(200, with_result(replace(COMPLETED, result=ResultState.REPORTED)))
    assert (late.event, late.snapshot.result, late.retraining.result_waits[-1]) == (None, ResultState.FOUND, 12_000.0)


@pytest.mark.parametrize(
    ("snapshot", "state"),
    [
        (COMPLETED, replace(WAITED, result_waits=())),
        (replace(COMPLETED, result=None), WAITED),
        (replace(COMPLETED, result=ResultState.FOUND), WAITED),
        (replace(COMPLETED, changed_after=None, changed_before=None), WAITED),
        (replace(COMPLETED, status="learning"), WAITED),
        (replace(COMPLETED, gone=True), WAITED),
    ],
    ids=["no version had one", "completed before", "had one", "not seen to complete", "restarted", "gone"],
)
def test_nothing_is_reported_where_no_result_is_expected(snapshot: Snapshot, state: Retraining) -> None:
    assert decide(10_000, snapshot, state).event is None


def test_nobody_waits_for_the_result_of_an_older_version() -> None:
    newer = GoodVersion(version="v3", ended=Bounds(after=NOW, before=NOW + MINUTE))
    decision = decide(10_000, state=replace(WAITED, last_good=newer))
    assert (decision.event, decision.snapshot.result) == (None, None)


def test_only_the_latest_waits_count() -> None:
    state = replace(WAITED, result_waits=(86_400.0, *[60.0] * 19))
    assert len(decide(1, with_result(), state).retraining.result_waits) == 20
    assert max(decide(1, with_result(), state).retraining.result_waits) == 60.0


def test_a_clock_that_was_set_back_teaches_no_negative_wait() -> None:
    assert decide(-30, with_result()).retraining.result_waits[-1] == 0.0
