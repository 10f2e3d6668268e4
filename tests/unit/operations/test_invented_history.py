"""An invented history: it is recorded as the polling stage records one."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

import pytest

from tests.unit.simulator.fake_clock import FakeClock
from watcher.core.batch import Batch
from watcher.core.event import Event, event_id
from watcher.core.training.model import Snapshot, is_final
from watcher.core.training.run import EndedRun, replayed
from watcher.operations.invented_history import BATCH_EVENTS, HistoryCounts, record_history
from watcher.simulator import Simulator
from watcher.simulator.calls import Call, CallKind, SimulationTime, answer
from watcher.simulator.invented.history import (
    POLL_SECONDS,
    HistoryAnswer,
    HistoryPlan,
    history_answers,
    history_services,
    history_world,
)
from watcher.simulator.truth import Truth

START = datetime(2026, 1, 1, tzinfo=UTC)
PLAN = HistoryPlan(days=10, services=3, runs_per_day=6, failures=0.2, hangs=0.05, seed=1)


@dataclass
class MemoryStore:
    """Keeps batches, and refuses a snapshot of another revision as the store does."""

    epoch: str = "e1"
    batches: list[Batch] = field(default_factory=list)
    snapshots: dict[str, Snapshot] = field(default_factory=dict)

    async def record(self, batch: Batch) -> Sequence[Snapshot]:
        written = [replace(snapshot, revision=snapshot.revision + 1) for snapshot in batch.snapshots]
        for snapshot in written:
            known = self.snapshots.get(snapshot.ref.subject)
            assert snapshot.revision == (known.revision if known else 0) + 1
            self.snapshots[snapshot.ref.subject] = snapshot
        self.batches.append(batch)
        return written

    @property
    def events(self) -> list[Event]:
        return [event for batch in self.batches for event in batch.events]

    @property
    def runs(self) -> list[EndedRun]:
        return [run for batch in self.batches for run in batch.runs]


@lru_cache
def recorded(plan: HistoryPlan = PLAN) -> tuple[MemoryStore, HistoryCounts]:
    store = MemoryStore()
    return store, asyncio.run(record_history(store, plan, "main", START))


@lru_cache
def answers() -> tuple[HistoryAnswer, ...]:
    return tuple(history_answers(PLAN, START))


def by_subject(store: MemoryStore) -> dict[str, list[Event]]:
    found: dict[str, list[Event]] = defaultdict(list)
    for event in store.events:
        found[event.subject].append(event)
    return found


def test_each_type_of_each_service_is_trained_so_many_times_a_day() -> None:
    store, counts = recorded()
    assert counts.trainings == len(store.snapshots) == 3 * 3 * 10 * 6
    assert {snapshot.ref.service for snapshot in store.snapshots.values()} == set(history_services(PLAN))


def test_the_answers_come_in_order_of_time_and_within_the_history() -> None:
    times = [answer.asked_seconds for answer in answers()]
    assert times == sorted(times)
    assert 0 <= times[0] < times[-1] < PLAN.seconds


def test_events_have_true_ids_and_numbers_and_come_in_order_of_time() -> None:
    store, counts = recorded()
    assert counts.events == len(store.events)
    assert [event.recorded_at for event in store.events] == sorted(event.recorded_at for event in store.events)
    for subject, events in by_subject(store).items():
        assert [event.seq for event in events] == list(range(1, len(events) + 1))
        assert {event.id for event in events} == {event_id("e1", subject, event.seq) for event in events}


def test_the_bounds_of_an_event_are_two_polls() -> None:
    store, _ = recorded()
    assert {event.before - event.after for event in store.events} == {timedelta(seconds=POLL_SECONDS + 0.2)}
    assert not any(event.late for event in store.events)


def test_the_runs_are_those_of_the_events() -> None:
    store, counts = recorded()
    runs = {(run.ref.subject, run.seq): run for run in store.runs}
    assert counts.runs == len(runs) == len(store.runs)
    for subject, events in by_subject(store).items():
        ended, current = replayed(events)
        assert ended == [runs.pop((subject, run.seq)) for run in ended]
        assert store.snapshots[subject].run == current
    assert not runs


def test_nearly_all_runs_are_known_well_enough_to_learn_from() -> None:
    completed = [run.past_run for run in recorded()[0].runs if run.outcome == "completed"]
    assert sum(run is not None and run.teaches for run in completed) > 0.95 * len(completed)


def test_trainings_that_still_run_at_the_end_stay_in_progress() -> None:
    store, counts = recorded()
    in_progress = [item for item in store.snapshots.values() if not is_final(item.status or "")]
    assert len(in_progress) == counts.trainings - counts.runs


def test_a_share_fails_and_a_share_takes_hours_longer() -> None:
    store, _ = recorded()
    failed = sum(run.outcome == "failed" for run in store.runs) / len(store.runs)
    lasted = [run.past_run.duration for run in store.runs if run.past_run]
    assert 0.1 < failed < 0.3
    assert 0.01 < sum(duration > timedelta(hours=4) for duration in lasted) / len(lasted) < 0.1


def test_results_come_after_the_end_and_a_few_never() -> None:
    completed = [answer.record for answer in answers() if answer.record["status"] == "completed"]
    first = [record for record in completed if record["inference"] is False]
    assert len(first) > len(completed) / 4
    store, _ = recorded()
    ended = [item for item in store.snapshots.values() if item.status == "completed"]
    without = sum(item.record["inference"] is False for item in ended)
    assert 0 < without < 0.05 * len(ended)


def test_no_receiver_gets_an_event_and_none_is_left_to_route() -> None:
    store, _ = recorded()
    for batch in store.batches:
        routed = batch.prerouted.events if batch.prerouted else ()
        assert [item.event for item in routed] == list(batch.events)
        assert not any(item.deliveries for item in routed)


def test_a_transaction_is_of_limited_size() -> None:
    store, _ = recorded()
    assert len(store.batches) > 1
    assert max(len(batch.events) for batch in store.batches) <= BATCH_EVENTS


def test_the_last_poll_of_each_service_is_noted() -> None:
    store, _ = recorded()
    polls = {poll.key: poll.good_asked_at for poll in store.batches[-1].polls}
    assert {f"service:main/{service}" for service in history_services(PLAN)} < polls.keys()
    assert set(polls.values()) == {START + timedelta(days=10, seconds=-POLL_SECONDS)}


def test_a_simulator_can_go_on_from_the_end_of_the_history() -> None:
    """The served trainings have the statuses and fields that the store has, apart from changes since the last poll."""
    truth = Truth(history_world(PLAN))
    now = SimulationTime(PLAN.seconds - POLL_SECONDS, START)
    assert {service.id for service in truth.services} == set(history_services(PLAN))
    differing = 0
    for snapshot in recorded()[0].snapshots.values():
        ref = snapshot.ref
        call = Call(kind=CallKind.VIEW, path="", service=ref.service, train_type=ref.type, version=ref.version)
        given: Any = answer(call, truth, now).document
        differing += (given["status"], given["createdDate"]) != (snapshot.status, snapshot.record["createdDate"])
    assert differing <= 1


def test_a_simulator_may_have_begun_earlier() -> None:
    clock = FakeClock()
    simulator = Simulator(clock=clock, began_at=clock.utc_now() - timedelta(days=10))
    assert simulator.seconds == pytest.approx(PLAN.seconds)
    clock.pass_seconds(5)
    assert simulator.seconds == pytest.approx(PLAN.seconds + 5)


@pytest.mark.parametrize(
    ("other", "is_equal"),
    [
        (HistoryPlan(days=1, services=1, seed=1), True),
        (HistoryPlan(days=1, services=1, seed=2), False),
        (HistoryPlan(days=1, services=1, seed=1, variation=0.5), False),
    ],
)
def test_a_seed_decides_the_history(other: HistoryPlan, *, is_equal: bool) -> None:
    same = tuple(history_answers(HistoryPlan(days=1, services=1, seed=1), START)) == tuple(
        history_answers(other, START)
    )
    assert same is is_equal


def test_some_services_become_slower() -> None:
    """The second service grows bit by bit, the third one is slower from the middle on."""
    plan = HistoryPlan(days=50, services=3, runs_per_day=1, variation=0.0, failures=0.0, hangs=0.0)
    lasted: dict[str, list[float]] = defaultdict(list)
    for run in recorded(plan)[0].runs:
        if run.ref.type == "relatedItem" and run.past_run:
            lasted[run.ref.service].append(run.past_run.duration.total_seconds())
    ratios = [sum(lasted[service][-5:]) / sum(lasted[service][:5]) for service in history_services(plan)]
    assert [round(ratio, 1) for ratio in ratios] == [1.0, 1.1, 1.6]


async def test_progress_is_reported_after_each_transaction() -> None:
    seen: list[int] = []
    await record_history(MemoryStore(), PLAN, "main", START, lambda counts: seen.append(counts.events))
    assert seen == [BATCH_EVENTS * (number + 1) for number in range(len(seen))]
