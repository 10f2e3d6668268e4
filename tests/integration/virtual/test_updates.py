"""Interval services on virtual time: updates that end once, and cycles that stop, across restarts and outages."""

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
from watcher.core.polling.plan import WatchAttributes
from watcher.core.training.overdue import LEARNED_PERIODS, ExpectRule, RetrainingRules

UNIT = 600.0
"""A unit of the scenarios, in seconds; an hourly cycle has six, and its tolerance one and a half."""
TICK_SECONDS = 60
DOWN = {"error": {"errorCode": "500"}}
ABOUT_UPDATES = {Kind.OVERDUE, Kind.UPDATE_FAILED, Kind.UPDATE_SUCCEEDED}


@dataclass
class Scenario:
    """An interval service whose daemon a test stops and starts."""

    folder: Path
    api: FakeApi
    rules: RetrainingRules
    asks: bool = True
    receiver: FakeReceiver = field(default_factory=FakeReceiver)

    def running(self) -> AbstractAsyncContextManager[object]:
        (poll,) = service_polls(["s1"], 60, 300)
        planned = [replace(poll, attributes=WatchAttributes(retraining_rules=self.rules, updates=self.asks))]
        return running_pipeline(
            self.folder, self.api, self.receiver, planned, tick_seconds=TICK_SECONDS, asks_updates=True
        )

    async def watch(self, units: float) -> None:
        """Run the daemon for so long."""
        async with self.running():
            await asyncio.sleep(units * UNIT)

    def show(self, update: str, status: str = "learning", version: str = "v0") -> None:
        """Show an update."""
        self.api.updates.setdefault(("s1", version), {})[update] = status

    async def update_hourly(self, *ends: str) -> None:
        """Show updates, each of which ends so after twenty minutes."""
        for end in ends:
            name = f"u{len(self.api.updates.get(('s1', 'v0'), ()))}"
            self.show(name)
            await asyncio.sleep(2 * UNIT)
            self.show(name, end)
            await asyncio.sleep(4 * UNIT)


def play(
    folder: Path, scenario: Callable[[Scenario], Awaitable[None]], rules: RetrainingRules = LEARNED_PERIODS
) -> list[Event]:
    """Run a scenario on an hourly service with one version and one old update; return the events about them."""

    async def main(clock: VirtualClock) -> list[Event]:
        api = FakeApi(clock, trainings={("s1", "v0"): "completed"}, services=["s1"], cycle="hour1")
        life = Scenario(folder, api, rules)
        life.show("u0", "learningFailed")
        await scenario(life)
        assert broken_invariants(folder, api, life.receiver) == []
        return [event for event in life.receiver.events if event.kind in ABOUT_UPDATES]

    return run(main)


def titles(events: list[Event]) -> list[str]:
    """Return the kind of each event, and its update."""
    return [event.kind + ("" if event.update is None else f" {event.update.version}") for event in events]


def units_of(event: Event) -> float:
    """Return the time of an event, in units since the start."""
    return (event.before - START) / timedelta(seconds=UNIT)


def test_each_update_that_ends_is_one_event_also_across_restarts(tmp_path: Path) -> None:
    async def scenario(life: Scenario) -> None:
        async with life.running():
            await asyncio.sleep(2 * UNIT)
            await life.update_hourly("completed")
            life.show("u2")
            await asyncio.sleep(UNIT)
        life.show("u2", "learningFailed")
        await life.watch(2)
        await life.watch(2)

    events = play(tmp_path, scenario)
    assert titles(events) == ["update-succeeded u1", "update-failed u2"]
    assert [event.late for event in events] == [False, True]


def test_an_hourly_cycle_that_stops_is_overdue_once_and_the_next_update_ends_it(tmp_path: Path) -> None:
    async def scenario(life: Scenario) -> None:
        async with life.running():
            await asyncio.sleep(2 * UNIT)
            await life.update_hourly("completed", "completed", "completed")
        await asyncio.sleep(UNIT)
        async with life.running():
            await asyncio.sleep(9 * UNIT)
        async with life.running():
            await asyncio.sleep(6 * UNIT)
            await life.update_hourly("completed")
            await asyncio.sleep(9 * UNIT)

    first, second = [event for event in play(tmp_path, scenario) if event.kind is Kind.OVERDUE]
    assert first.overdue is not None
    assert (first.overdue.by_cycle, first.overdue.period, first.overdue.starts) == (True, timedelta(hours=1), None)
    # The last update began after 14 units; a period and a quarter later it is late.
    assert units_of(first) == pytest.approx(22, abs=0.6)
    assert first.after >= first.overdue.deadline
    assert first.overdue.last is not None
    assert (second.seq, second.subject) == (2, "retraining:main/s1/pop")
    assert units_of(second) == pytest.approx(43.5, abs=0.6)


def test_a_new_version_is_a_start_of_the_cycle_too(tmp_path: Path) -> None:
    async def scenario(life: Scenario) -> None:
        async with life.running():
            await asyncio.sleep(2 * UNIT)
            for number in range(1, 4):
                life.api.trainings["s1", f"v{number}"] = "completed"
                await asyncio.sleep(6 * UNIT)

    assert play(tmp_path, scenario) == []


def test_an_update_while_the_daemon_was_down_is_no_absence(tmp_path: Path) -> None:
    async def scenario(life: Scenario) -> None:
        async with life.running():
            await asyncio.sleep(2 * UNIT)
            await life.update_hourly("completed")
        await asyncio.sleep(3 * UNIT)
        life.show("u2")
        await asyncio.sleep(2 * UNIT)
        await life.watch(4)

    assert titles(play(tmp_path, scenario)) == ["update-succeeded u1"]


def test_no_absence_is_reported_while_updates_cannot_be_polled(tmp_path: Path) -> None:
    async def scenario(life: Scenario) -> None:
        async with life.running():
            await asyncio.sleep(2 * UNIT)
            await life.update_hourly("completed")
            life.api.fault = lambda _now, path: life.api.answer(503, DOWN) if "/updates" in path else None
            await asyncio.sleep(4 * UNIT)
            life.show("u2", "completed")
            asked = len(life.api.paths)
            await asyncio.sleep(10 * UNIT)
            # The waits grow, also while the retraining may be overdue.
            assert sum(path.endswith("/updates") for path in life.api.paths[asked:]) <= 5
            life.api.fault = lambda _now, _path: None
            await asyncio.sleep(4 * UNIT)

    assert titles(play(tmp_path, scenario)) == ["update-succeeded u1", "update-succeeded u2"]


@pytest.mark.parametrize(
    ("rules", "overdue"),
    [
        (LEARNED_PERIODS, 1),
        (RetrainingRules(expect_every={"*": ExpectRule.NEVER}), 0),
        (RetrainingRules(expect_every={"pop": timedelta(hours=9)}), 0),
        (RetrainingRules(expect_every={"pop": timedelta(minutes=10)}), 1),
    ],
)
def test_expect_every_takes_precedence_over_the_cycle(tmp_path: Path, rules: RetrainingRules, overdue: int) -> None:
    async def scenario(life: Scenario) -> None:
        async with life.running():
            await asyncio.sleep(2 * UNIT)
            life.show("u1")
            await asyncio.sleep(20 * UNIT)

    assert len(play(tmp_path, scenario, rules)) == overdue


def test_a_service_whose_updates_are_not_polled_has_no_cycle(tmp_path: Path) -> None:
    async def scenario(life: Scenario) -> None:
        async with life.running():
            await asyncio.sleep(2 * UNIT)
            await life.update_hourly("completed")
        life.asks = False
        await life.watch(20)

    assert titles(play(tmp_path, scenario)) == ["update-succeeded u1"]


def test_one_failing_service_keeps_the_incident_open_while_another_answers(tmp_path: Path) -> None:
    async def main(clock: VirtualClock) -> list[Event]:
        trainings = {("s1", "v0"): "completed", ("s2", "v0"): "completed"}
        api, receiver = FakeApi(clock, trainings=trainings, cycle="hour1"), FakeReceiver()
        api.fault = lambda _now, path: api.answer(503, DOWN) if "s2/updates" in path else None
        planned = service_polls(["s1", "s2"], 60, 300)
        async with running_pipeline(tmp_path, api, receiver, planned, tick_seconds=TICK_SECONDS, asks_updates=True):
            await asyncio.sleep(20 * UNIT)
            opened = list(receiver.events)
            api.fault = lambda _now, _path: None
            await asyncio.sleep(12 * UNIT)
        assert broken_invariants(tmp_path, api, receiver) == []
        assert [event.kind for event in opened] == [Kind.UNREACHABLE]
        return receiver.events

    opened, closed = run(main)
    assert (opened.type, opened.subject) == ("account.unreachable", "updates:main")
    assert closed.kind is Kind.RECOVERED
