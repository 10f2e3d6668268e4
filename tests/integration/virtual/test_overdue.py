"""Retrainings that do not come: by configuration and learned, across outages, restarts and local clock changes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

import pytest

from tests.support.virtual import (
    START,
    FakeApi,
    FakeReceiver,
    VirtualClock,
    broken_invariants,
    run,
    running_pipeline,
    service_polls,
)
from watcher.core.event import Event, Kind
from watcher.core.polling.plan import Poll, WatchAttributes
from watcher.core.training.absence import Missing
from watcher.core.training.overdue import ExpectRule, RetrainingRules

UNIT = 600.0
"""A unit of the scenarios, in seconds; retrainings are expected every six."""
INTERVAL_SECONDS = 300
TICK_SECONDS = 60
EVERY_SIX = RetrainingRules(expect_every={"*": timedelta(hours=1)})
STALE = RetrainingRules(expect_every={"*": ExpectRule.NEVER}, stale_after={"pop": timedelta(hours=8)})


def polls(rules: RetrainingRules, idle_seconds: float = 300) -> list[Poll]:
    (poll,) = service_polls(["s1"], INTERVAL_SECONDS, idle_seconds)
    return [replace(poll, attributes=WatchAttributes(retraining_rules=rules))]


@dataclass
class Scenario:
    """A service whose daemon a test stops and starts."""

    folder: Path
    api: FakeApi
    planned: list[Poll]
    receiver: FakeReceiver = field(default_factory=FakeReceiver)
    number: int = 0

    async def watch(self, units: float) -> None:
        """Run the daemon for so long."""
        async with self.running():
            await asyncio.sleep(units * UNIT)

    def running(self) -> AbstractAsyncContextManager[object]:
        return running_pipeline(self.folder, self.api, self.receiver, self.planned, tick_seconds=TICK_SECONDS)

    def train(self, status: str = "completed") -> None:
        """Show another version."""
        self.number += 1
        self.api.trainings["s1", f"v{self.number}"] = status

    async def train_every(self, units: float, times: int) -> None:
        """Show another version each time, then wait."""
        for _ in range(times):
            self.train()
            await asyncio.sleep(units * UNIT)

    def away(self, *, away: bool) -> None:
        """Answer every request with a 503, or not any more."""
        self.api.fault = lambda _now, _path: self.api.answer(503, {"error": "down"}) if away else None


def play(
    folder: Path, scenario: Callable[[Scenario], Awaitable[None]], rules: RetrainingRules, idle_seconds: float = 300
) -> list[Event]:
    """Run a scenario on a service with one training that completed long ago; return the events ``overdue``."""

    async def main(clock: VirtualClock) -> list[Event]:
        api = FakeApi(clock, trainings={("s1", "v0"): "completed"}, services=["s1"])
        life = Scenario(folder, api, polls(rules, idle_seconds))
        await scenario(life)
        assert broken_invariants(folder, api, life.receiver) == []
        return [event for event in life.receiver.events if event.kind is Kind.OVERDUE]

    return run(main)


def units_of(events: list[Event]) -> list[float]:
    """Return the time of each event, in units since the start."""
    return [(event.before - START) / timedelta(seconds=UNIT) for event in events]


def test_an_absence_is_one_event_and_the_next_start_ends_it(tmp_path: Path) -> None:
    async def scenario(life: Scenario) -> None:
        async with life.running():
            await asyncio.sleep(UNIT)
            await life.train_every(6, 2)
            life.train()
            await asyncio.sleep(30 * UNIT)
            await life.train_every(20, 1)

    first, second = events = play(tmp_path, scenario, EVERY_SIX)
    assert [item.seq for item in events] == [1, 2]
    assert first.subject == "retraining:main/s1/pop"
    assert (first.type, first.service, first.training_type, first.version) == ("service.overdue", "s1", "pop", None)
    assert first.overdue is not None
    assert (first.overdue.missing, first.overdue.starts) == (Missing.START, None)
    assert first.overdue.period == timedelta(hours=1)
    assert first.overdue.last_good is not None
    assert first.overdue.last_good.version == "v3"
    # The last one came after 13 units; a period and its quarter later it is late.
    assert units_of([first])[0] == pytest.approx(20.5, abs=0.5)
    assert first.after >= first.overdue.deadline
    assert units_of([second])[0] == pytest.approx(50.5, abs=0.5)


def test_no_alert_is_made_while_aitems_is_away_and_a_start_meanwhile_ends_the_wait(tmp_path: Path) -> None:
    async def scenario(life: Scenario) -> None:
        async with life.running():
            await asyncio.sleep(UNIT)
            life.train()
            await asyncio.sleep(3 * UNIT)
            life.away(away=True)
            await asyncio.sleep(8 * UNIT)
            life.train()
            life.away(away=False)
            await asyncio.sleep(3 * UNIT)
            life.away(away=True)
            await asyncio.sleep(10 * UNIT)
            life.away(away=False)
            await asyncio.sleep(2 * UNIT)

    (event,) = play(tmp_path, scenario, EVERY_SIX)
    assert units_of([event])[0] > 25


def test_an_absence_is_reported_once_across_restarts(tmp_path: Path) -> None:
    async def scenario(life: Scenario) -> None:
        await life.watch(1)
        async with life.running():
            life.train()
            await asyncio.sleep(UNIT)
        await asyncio.sleep(20 * UNIT)
        for _ in range(3):
            await life.watch(2)
        async with life.running():
            life.train()
            await asyncio.sleep(UNIT)
        await life.watch(10)

    first, second = play(tmp_path, scenario, EVERY_SIX)
    assert 22 <= units_of([first])[0] < 22.5
    assert first.after >= START + timedelta(seconds=22 * UNIT)
    assert second.seq == 2


def test_a_start_while_the_daemon_was_down_is_no_absence(tmp_path: Path) -> None:
    async def scenario(life: Scenario) -> None:
        await life.watch(1)
        async with life.running():
            life.train()
            await asyncio.sleep(UNIT)
        await asyncio.sleep(10 * UNIT)
        life.train("learning")
        await asyncio.sleep(UNIT)
        await life.watch(5)

    assert play(tmp_path, scenario, EVERY_SIX) == []


def test_runs_of_one_version_that_begin_and_end_between_two_polls_are_starts(tmp_path: Path) -> None:
    async def scenario(life: Scenario) -> None:
        async with life.running():
            for end, units in (("learningFailed", 6), ("completed", 6), ("requestFailed", 5), ("ready", 1)) * 2:
                life.api.trainings["s1", "v0"] = end
                await asyncio.sleep(units * UNIT)

    assert play(tmp_path, scenario, EVERY_SIX) == []


def test_a_deadline_is_met_between_two_polls_of_the_idle_interval(tmp_path: Path) -> None:
    async def scenario(life: Scenario) -> None:
        async with life.running():
            await asyncio.sleep(UNIT)
            life.train()
            await asyncio.sleep(12 * UNIT)

    (event,) = play(tmp_path, scenario, EVERY_SIX, idle_seconds=5 * UNIT)
    assert event.overdue is not None
    assert event.before - event.overdue.deadline <= timedelta(seconds=TICK_SECONDS)


def test_a_step_of_the_clock_makes_nothing_late(tmp_path: Path) -> None:
    async def main(clock: VirtualClock) -> list[Event]:
        api, receiver = FakeApi(clock, trainings={("s1", "v0"): "completed"}), FakeReceiver()
        async with running_pipeline(tmp_path, api, receiver, polls(EVERY_SIX), tick_seconds=TICK_SECONDS):
            await asyncio.sleep(UNIT)
            clock.step = timedelta(hours=2)
            api.date_offset = -clock.step
            await asyncio.sleep(3 * UNIT)
        return [event for event in receiver.events if event.kind is Kind.OVERDUE]

    assert run(main) == []


def test_a_service_without_a_completed_training_is_overdue_although_trainings_start(tmp_path: Path) -> None:
    async def scenario(life: Scenario) -> None:
        async with life.running():
            await asyncio.sleep(UNIT)
            life.train()
            for _ in range(5):
                await asyncio.sleep(24 * UNIT)
                life.train("learningFailed")
            life.train()
            await asyncio.sleep(24 * UNIT)

    (event,) = play(tmp_path, scenario, STALE)
    assert event.overdue is not None
    assert (event.overdue.missing, event.overdue.period) == (Missing.COMPLETED, timedelta(hours=8))
    assert event.overdue.last_good is not None
    assert event.overdue.last_good.version == "v1"
    assert units_of([event])[0] == pytest.approx(49, abs=0.5)
