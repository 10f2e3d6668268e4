"""Completed trainings without an inference result on virtual time, across restarts and outages."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.virtual import (
    FakeApi,
    FakeReceiver,
    VirtualClock,
    broken_invariants,
    run,
    running_pipeline,
    service_polls,
)
from watcher.core.event import Event, Kind

MINUTE = 60.0
TICK_SECONDS = 30


@dataclass
class Scenario:
    """A service whose daemon a test stops and starts."""

    folder: Path
    api: FakeApi
    receiver: FakeReceiver = field(default_factory=FakeReceiver)

    def running(self) -> AbstractAsyncContextManager[object]:
        planned = service_polls(["s1"], 60, 300)
        return running_pipeline(self.folder, self.api, self.receiver, planned, tick_seconds=TICK_SECONDS)

    async def complete(self, version: str, result_after_minutes: float | None) -> None:
        """Show a training that completes, and its result so long after."""
        self.api.trainings["s1", version] = "learning"
        await asyncio.sleep(5 * MINUTE)
        self.api.trainings["s1", version] = "completed"
        if result_after_minutes is not None:
            await asyncio.sleep(result_after_minutes * MINUTE)
            self.api.with_result.add(("s1", version))
            await asyncio.sleep(10 * MINUTE)


def play(folder: Path, scenario: Callable[[Scenario], Awaitable[None]]) -> list[str | None]:
    """Run a scenario; return the versions that were reported."""

    async def main(clock: VirtualClock) -> list[Event]:
        life = Scenario(folder, FakeApi(clock, trainings={("s1", "v0"): "completed"}, services=["s1"]))
        await scenario(life)
        assert broken_invariants(folder, life.api, life.receiver) == []
        return [event for event in life.receiver.events if event.kind is Kind.UNUSABLE]

    return [event.version for event in run(main)]


def test_a_result_that_does_not_come_is_reported_once_across_a_restart(tmp_path: Path) -> None:
    async def scenario(life: Scenario) -> None:
        async with life.running():
            await life.complete("v1", 20)
            await life.complete("v2", None)
            await asyncio.sleep(30 * MINUTE)
        async with life.running():
            await asyncio.sleep(60 * MINUTE)
        async with life.running():
            await asyncio.sleep(60 * MINUTE)
            await life.complete("v3", 50)

    assert play(tmp_path, scenario) == ["v2"]


def test_a_service_that_never_had_a_result_reports_none(tmp_path: Path) -> None:
    async def scenario(life: Scenario) -> None:
        async with life.running():
            await life.complete("v1", None)
            await life.complete("v2", None)
            await asyncio.sleep(600 * MINUTE)

    assert play(tmp_path, scenario) == []


def test_a_newer_version_with_a_result_ends_the_wait_for_the_older_one(tmp_path: Path) -> None:
    async def scenario(life: Scenario) -> None:
        async with life.running():
            await life.complete("v1", 0)
            await life.complete("v2", None)
            await life.complete("v3", 0)
            await asyncio.sleep(300 * MINUTE)

    assert play(tmp_path, scenario) == []


def test_a_result_is_not_missed_while_aitems_is_away(tmp_path: Path) -> None:
    async def scenario(life: Scenario) -> None:
        async with life.running():
            await life.complete("v1", 0)
            await life.complete("v2", None)
            await asyncio.sleep(10 * MINUTE)
            life.api.fault = lambda _now, _path: life.api.answer(503, {"error": "down"})
            await asyncio.sleep(50 * MINUTE)
            life.api.with_result.add(("s1", "v2"))
            await asyncio.sleep(100 * MINUTE)
            life.api.fault = lambda _now, _path: None
            await asyncio.sleep(60 * MINUTE)

    assert play(tmp_path, scenario) == []
