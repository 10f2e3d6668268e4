"""Decisions about runs get what earlier runs say, in the order of one answer."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

import pytest
from structlog.testing import capture_logs

from tests.support.runs import ended_run
from watcher.core.batch import NotSavedError
from watcher.core.durations.current_run import CurrentRun, LearnedLimits, RunStart, Stage
from watcher.core.durations.past_runs import PastRun
from watcher.core.event import Event, Kind
from watcher.core.training.decision import Decision, DecisionContext
from watcher.core.training.earlier_runs import EarlierRuns, RunGroup, RunsWanted, Samples
from watcher.core.training.lifecycle import decide
from watcher.core.training.model import Observation, Snapshot, Source, TrainingRef
from watcher.pipeline.polling.runs.comparer import RunComparer
from watcher.pipeline.polling.runs.known_samples import MOST_GROUPS, KnownSamples

NOW: Final = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
MINUTE: Final = timedelta(minutes=1)
HPO: Final = {"hpConfig": {"is_enabled": False}}


class Store:
    """Answers with the earlier runs that a test sets, and keeps the questions."""

    epoch = "e1"

    def __init__(self, earlier: EarlierRuns | None, error: Exception | None = None) -> None:
        self.earlier = earlier
        self.error = error
        self.asked: list[Mapping[RunGroup, RunsWanted]] = []

    async def earlier_runs(
        self, wanted: Mapping[RunGroup, RunsWanted], now: datetime
    ) -> Mapping[RunGroup, EarlierRuns]:
        assert now == NOW
        self.asked.append(wanted)
        if self.error is not None:
            raise self.error
        assert self.earlier is not None
        return dict.fromkeys(wanted, self.earlier)

    def utc_now(self) -> datetime:
        return NOW


def completed(minutes: tuple[float, ...]) -> tuple[PastRun, ...]:
    runs = (ended_run(number, duration).past_run for number, duration in enumerate(minutes))
    return tuple(run for run in runs if run is not None)


EARLIER: Final = EarlierRuns(completed=completed((50, 51, 49, 52, 50, 48) * 2))


def moved(version: str, old: str, new: str, minutes: float = 30) -> Decision:
    """Decide that a training in progress has another status."""
    ref, start = TrainingRef("main", "s", "pop", version), NOW - minutes * MINUTE
    started = RunStart(started_after=start, started_before=start)
    run = CurrentRun(start=started, stages=(Stage(status=old, entered=None),))
    known = Snapshot(ref=ref, status=old, seen_after=NOW - MINUTE / 60, first_seen_at=start, run=run, record=HPO)
    answer = Observation(ref=ref, status=new, asked_at=NOW, answered_at=NOW, source=Source.VIEW, record=HPO)
    return decide(known, answer, DecisionContext(epoch="e1", polling_since=start), NOW)


def comparer_of(store: Store) -> RunComparer:
    return RunComparer(store, store)  # type: ignore[arg-type]  # only these methods are called


def complete(store: Store, *decisions: Decision) -> list[Decision]:
    return list(asyncio.run(comparer_of(store).complete(decisions)))


def event_of(decision: Decision) -> Event:
    assert decision.event is not None
    return decision.event


def test_failures_of_one_answer_are_a_streak() -> None:
    found = complete(Store(EARLIER), *(moved(f"v{number}", "learning", "learningFailed") for number in range(3)))
    streaks = [item.comparison.failures for item in map(event_of, found) if item.comparison]
    assert streaks == [1, 2, 3]


def test_a_training_in_its_next_stage_gets_its_limits() -> None:
    store = Store(replace(EARLIER, stages={"learning": EARLIER.completed}))
    (found,) = complete(store, moved("v1", "waiting", "learning"))
    run = found.snapshot.run
    assert run is not None
    assert run.limits is not None
    assert run.limits.stage is not None
    assert run.limits.prediction is not None
    assert run.limits.expected_end is not None
    assert store.asked == [{RunGroup("main", "s", "pop", hpo=False): RunsWanted(stages=frozenset({"learning"}))}]


def test_runs_are_read_once_until_one_of_the_group_ends_and_only_what_is_needed() -> None:
    store, group = (
        Store(replace(EARLIER, stages={"learning": EARLIER.completed})),
        RunGroup("main", "s", "pop", hpo=False),
    )
    comparer = comparer_of(store)

    def complete_one(decision: Decision) -> list[RunsWanted]:
        asyncio.run(comparer.complete([decision]))
        asked, store.asked = store.asked, []
        return [wanted[group] for wanted in asked]

    learning = RunsWanted(stages=frozenset({"learning"}))
    assert complete_one(moved("v1", "waiting", "learning")) == [learning]
    assert complete_one(moved("v2", "waiting", "learning")) == []
    stopping = RunsWanted(completed=False, stages=frozenset({"stopping"}))
    assert complete_one(moved("v2", "learning", "stopping")) == [stopping]
    assert complete_one(moved("v1", "learning", "completed")) == [RunsWanted(completed=False, streak=True)]
    assert complete_one(moved("v2", "waiting", "learning")) == [learning]
    failure = RunsWanted(completed=False, failed=True, streak=True)
    assert complete_one(moved("v1", "learning", "learningFailed")) == [failure]


def test_samples_are_forgotten_with_age_and_where_a_run_of_the_account_counts_for_them() -> None:
    known, few, many = KnownSamples(), RunGroup("main", "s", "pop", None), RunGroup("main", "t", "pop", None)
    known.keep(few, Samples(EarlierRuns(), NOW), NOW)
    known.keep(many, Samples(EARLIER, NOW), NOW)
    assert known.of(few, NOW + 59 * MINUTE) is not None
    assert (known.of(few, NOW + 60 * MINUTE), known.of(few, NOW - MINUTE)) == (None, None)
    known.forget([TrainingRef("other", "s", "pop", "v1"), TrainingRef("main", "s", "relatedItem", "v1")])
    assert known.of(few, NOW) is not None
    known.forget([TrainingRef("main", "another", "pop", "v1")])
    assert (known.of(few, NOW), known.of(many, NOW) is None) == (None, False)
    known.forget([TrainingRef("main", "t", "pop", "v1")])
    assert known.of(many, NOW) is None
    for number in range(MOST_GROUPS + 1):
        known.keep(RunGroup("main", f"s{number}", "pop", None), Samples(EARLIER, NOW), NOW)
    assert known.of(RunGroup("main", "s0", "pop", None), NOW) is None
    assert known.of(RunGroup("main", "s1", "pop", None), NOW) is not None


def test_a_fast_run_gets_a_second_event_with_the_next_number() -> None:
    (found,) = complete(Store(EARLIER), moved("v1", "learning", "completed", minutes=10))
    assert found.fast is not None
    assert (found.fast.kind, found.fast.seq, found.snapshot.seq) == (Kind.FAST, event_of(found).seq + 1, 2)
    assert found.fast.id != event_of(found).id
    (usual,) = complete(Store(EARLIER), moved("v1", "learning", "completed", minutes=50))
    assert (usual.fast, usual.snapshot.seq) == (None, 1)


def test_a_run_that_is_stopped_early_is_no_fast_one_and_is_compared_with_no_other() -> None:
    (stopped,) = complete(Store(EARLIER), moved("v1", "stopping", "ready", minutes=10))
    assert stopped.ended_run is not None
    assert (stopped.fast, event_of(stopped).comparison, stopped.snapshot.seq) == (None, None, 1)


def test_a_training_that_is_being_stopped_has_no_expected_end() -> None:
    (stopping,) = complete(Store(EARLIER), moved("v1", "learning", "stopping"))
    assert stopping.snapshot.run is not None
    assert stopping.snapshot.run.limits is not None
    assert (stopping.snapshot.run.limits.expected_end, event_of(stopping).expected_end) == (None, None)


def test_without_runs_the_store_is_not_asked() -> None:
    store = Store(EARLIER)
    ref = TrainingRef("main", "s", "pop", "v1")
    run = CurrentRun(start=None, stages=(Stage(status="learning", entered=None),), limits=LearnedLimits())
    known = Snapshot(ref=ref, status="learning", seen_after=NOW, first_seen_at=NOW, run=run, record=HPO)
    answer = Observation(ref=ref, status="learning", asked_at=NOW, answered_at=NOW, source=Source.VIEW, record=HPO)
    unchanged = decide(known, answer, DecisionContext(epoch="e1", polling_since=NOW), NOW)
    assert complete(store, unchanged) == [unchanged]
    assert store.asked == []


@pytest.mark.parametrize("new", ["learningFailed", "completed", "stopping"])
def test_an_event_goes_without_a_comparison_where_the_store_cannot_be_read(new: str) -> None:
    decision = moved("v1", "learning", new)
    assert complete(Store(None, OSError("the runs cannot be read")), decision) == [decision]


def test_one_line_says_that_the_runs_cannot_be_read_and_one_that_they_can_again() -> None:
    store, decision = Store(EARLIER, OSError("gone")), moved("v1", "waiting", "learning")
    comparer = comparer_of(store)
    with capture_logs() as lines:
        for error in (OSError("gone"), OSError("gone"), None, None, OSError("gone")):
            store.error = error
            asyncio.run(comparer.complete([decision, moved("v2", "learning", "completed")]))
    assert [line["event"] for line in lines] == ["runs.not_compared", "runs.compared_again", "runs.not_compared"]
    assert "exc_info" not in lines[0]


def test_a_decision_is_taken_again_where_the_store_is_locked() -> None:
    with pytest.raises(NotSavedError):
        complete(Store(None, NotSavedError("locked")), moved("v1", "learning", "completed"))
