"""Trainings that hang, by learned and by configured limits; and the comparison of a run with earlier ones."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

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
from watcher.core.training.comparison import Pace, SettingChange
from watcher.core.training.stuck_rules import StuckRule, StuckRules

MINUTE = 60.0
HOUR = 3600.0
INTERVAL_SECONDS = 200
TICK_SECONDS = 60
USUAL_MINUTES = (50, 52, 49, 51, 50, 53)


def polls(rules: StuckRules | None = None, idle_seconds: float = 300) -> list[Poll]:
    (poll,) = service_polls(["s1"], INTERVAL_SECONDS, idle_seconds)
    return [replace(poll, attributes=WatchAttributes(stuck_rules=rules))]


@dataclass
class Service:
    """A service whose trainings a test starts and ends; each is a new version."""

    api: FakeApi
    number: int = 0
    configs: dict[str, dict[str, object]] = field(default_factory=dict)

    async def train(self, minutes: float, end: str = "completed", **config: object) -> str:
        """Run a training from ``learning`` to its end, then wait a little."""
        version = self.start(**config)
        await asyncio.sleep(minutes * MINUTE)
        self.set(version, end)
        await asyncio.sleep(10 * MINUTE)
        return version

    def start(self, **config: object) -> str:
        self.number += 1
        version = f"v{self.number}"
        self.configs[version] = config
        self.set(version, "learning")
        return version

    def set(self, version: str, status: str) -> None:
        self.api.trainings["s1", version] = status

    async def learn(self, minutes: tuple[float, ...] = USUAL_MINUTES) -> None:
        """Run trainings that complete after these durations."""
        for duration in minutes:
            await self.train(duration, item_top_n=20000)


class ConfiguredApi(FakeApi):
    """Shows the options of each version."""

    service: Service | None = None

    def document(self, path: str) -> Any:
        document = FakeApi.document(self, path)
        if isinstance(document, dict) and self.service is not None:
            for item in document.get("trains", [document]):
                item["hpConfig"] = {"is_enabled": False, **self.service.configs.get(item.get("version", ""), {})}
        return document


def play(
    folder: Path, scenario: Callable[[Service], Awaitable[None]], planned: list[Poll] | None = None
) -> list[Event]:
    """Run a scenario on a service without trainings; return the events that arrived."""

    async def main(clock: VirtualClock) -> list[Event]:
        api, receiver = ConfiguredApi(clock, services=["s1"]), FakeReceiver()
        api.service = service = Service(api)
        async with running_pipeline(folder, api, receiver, planned or polls(), tick_seconds=TICK_SECONDS):
            await asyncio.sleep(MINUTE)
            await scenario(service)
            await asyncio.sleep(10 * MINUTE)
        assert broken_invariants(folder, api, receiver) == []
        return receiver.events

    return run(main)


def kinds_of(events: list[Event], version: str) -> list[str]:
    return [event.kind.value for event in events if event.version == version]


def of_kind(events: list[Event], kind: Kind) -> list[Event]:
    return [event for event in events if event.kind is kind]


def test_a_training_that_hangs_is_reported_at_its_limit_and_at_three_times_it_and_when_it_moves(
    tmp_path: Path,
) -> None:
    async def scenario(service: Service) -> None:
        await service.learn()
        version = service.start()
        await asyncio.sleep(8 * HOUR)
        service.set(version, "stopping")
        await asyncio.sleep(10 * MINUTE)
        service.set(version, "completed")

    events = play(tmp_path, scenario)
    assert kinds_of(events, "v7") == ["appeared", "stuck", "stuck", "unstuck", "succeeded"]
    first, second = of_kind(events, Kind.STUCK)
    assert first.stuck is not None
    assert second.stuck is not None
    assert (first.stuck.level, second.stuck.level, first.stuck.learned) == (1, 2, True)
    assert first.stuck.usual is not None
    assert first.stuck.usual.runs == 6
    assert first.stuck.next_limit == 3 * first.stuck.limit
    elapsed = first.before - first.stuck.since.before
    assert first.stuck.limit <= elapsed < first.stuck.limit + timedelta(minutes=3)
    assert timedelta(minutes=55) < first.stuck.limit < timedelta(minutes=120)
    (moved,) = of_kind(events, Kind.UNSTUCK)
    assert moved.stuck is not None
    assert moved.stuck.reported_at is not None
    assert first.after - timedelta(seconds=1) < moved.stuck.reported_at <= first.before


def test_nothing_is_reported_before_five_runs_are_known(tmp_path: Path) -> None:
    async def scenario(service: Service) -> None:
        await service.learn(USUAL_MINUTES[:4])
        service.start()
        await asyncio.sleep(12 * HOUR)

    assert of_kind(play(tmp_path, scenario), Kind.STUCK) == []


@pytest.mark.parametrize(
    ("rules", "reported"),
    [
        (StuckRules(usual=timedelta(hours=6)), 1),
        (StuckRules(stages={"learning": timedelta(hours=2)}), 2),
        (StuckRules(stages={"waiting": timedelta(hours=2)}), 0),
        (StuckRules(usual=StuckRule.NEVER), 0),
        (StuckRules(usual=StuckRule.NEVER, stages={"learning": timedelta(hours=3)}), 1),
    ],
)
def test_a_limit_of_the_watch_needs_no_earlier_runs(tmp_path: Path, rules: StuckRules, reported: int) -> None:
    async def scenario(service: Service) -> None:
        service.start()
        await asyncio.sleep(7 * HOUR)

    stuck = of_kind(play(tmp_path, scenario, polls(rules)), Kind.STUCK)
    assert len(stuck) == reported
    assert all(item.stuck is not None and not item.stuck.learned for item in stuck)


def test_a_limit_that_passes_while_aitems_is_away_waits_and_the_outage_does_not_count(tmp_path: Path) -> None:
    async def scenario(service: Service) -> None:
        service.start()
        await asyncio.sleep(HOUR)
        service.api.fault = lambda _now, _path: service.api.answer(503, {"error": "down"})
        await asyncio.sleep(3 * HOUR)
        service.api.fault = lambda _now, _path: None
        await asyncio.sleep(3 * HOUR)

    (stuck,) = of_kind(play(tmp_path, scenario, polls(StuckRules(usual=timedelta(hours=2)))), Kind.STUCK)
    assert stuck.stuck is not None
    elapsed = stuck.before - stuck.stuck.since.before
    assert timedelta(hours=4, minutes=55) < elapsed < timedelta(hours=5, minutes=10)


def test_a_limit_survives_a_restart_and_the_time_without_the_daemon_does_not_count(tmp_path: Path) -> None:
    async def main(clock: VirtualClock) -> list[Event]:
        api, receiver = FakeApi(clock, services=["s1"]), FakeReceiver()
        planned = polls(StuckRules(usual=timedelta(hours=2)))
        async with running_pipeline(tmp_path, api, receiver, planned, tick_seconds=TICK_SECONDS):
            await asyncio.sleep(MINUTE)
            api.trainings["s1", "v1"] = "learning"
            await asyncio.sleep(HOUR)
        await asyncio.sleep(5 * HOUR)
        for _ in range(3):
            async with running_pipeline(tmp_path, api, receiver, planned, tick_seconds=TICK_SECONDS):
                await asyncio.sleep(1.5 * HOUR)
        assert broken_invariants(tmp_path, api, receiver) == []
        return receiver.events

    stuck = of_kind(run(main), Kind.STUCK)
    assert [item.stuck.level for item in stuck if item.stuck] == [1]
    assert stuck[0].before - START > timedelta(hours=6, minutes=50)


@pytest.mark.parametrize("hours", [72, 1, -1])
def test_a_step_of_the_wall_clock_makes_nothing_stuck_and_delays_nothing(tmp_path: Path, hours: int) -> None:
    async def main(clock: VirtualClock) -> list[float]:
        api, receiver = FakeApi(clock, services=["s1"]), FakeReceiver()
        planned = polls(StuckRules(usual=timedelta(hours=3)))
        async with running_pipeline(tmp_path, api, receiver, planned, tick_seconds=TICK_SECONDS):
            await asyncio.sleep(MINUTE)
            api.trainings["s1", "v1"] = "learning"
            await asyncio.sleep(HOUR)
            clock.step += timedelta(hours=hours)
            api.date_offset -= timedelta(hours=hours)
            await asyncio.sleep(6 * HOUR)
        assert broken_invariants(tmp_path, api, receiver, stepped=True) == []
        kinds = zip(receiver.kinds, receiver.times, strict=True)
        return [seconds for kind, seconds in kinds if kind == "stuck"]

    (stuck,) = run(main)
    assert 3 * HOUR < stuck < 3.2 * HOUR


def test_a_training_that_the_first_poll_found_is_reported_by_the_time_that_it_was_watched(tmp_path: Path) -> None:
    async def main(clock: VirtualClock) -> list[Event]:
        api, receiver = FakeApi(clock, trainings={("s1", "v1"): "learning"}), FakeReceiver()
        planned = polls(StuckRules(usual=timedelta(hours=2)))
        async with running_pipeline(tmp_path, api, receiver, planned, tick_seconds=TICK_SECONDS):
            await asyncio.sleep(3 * HOUR)
        return receiver.events

    (stuck,) = run(main)
    assert (stuck.kind, stuck.to_status) == (Kind.STUCK, "learning")


def test_a_failure_says_its_streak_the_last_good_version_and_the_changed_settings(tmp_path: Path) -> None:
    async def scenario(service: Service) -> None:
        await service.learn()
        await service.train(120, "learningFailed", item_top_n=50000)
        await service.train(110, "learningFailed", item_top_n=50000)
        await service.train(51, item_top_n=20000)

    events = play(tmp_path, scenario)
    first, second = (event.comparison for event in of_kind(events, Kind.FAILED))
    assert first is not None
    assert second is not None
    assert (first.failures, first.successes, second.failures, second.successes) == (1, 6, 2, 0)
    assert first.last_good is not None
    assert second.last_good is not None
    assert (first.last_good.version, second.last_good.version) == ("v6", "v6")
    assert first.changes == (SettingChange(option="item_top_n", old=20000, new=50000),)
    assert first.usual is not None
    assert (first.usual.runs, first.usual.whole_account) == (6, False)
    last = of_kind(events, Kind.SUCCEEDED)[-1].comparison
    assert last is not None
    assert (last.failures, last.compared_with) == (2, "v8")
    assert last.pace in {Pace.USUAL, Pace.LONG}
    assert last.changes == (SettingChange(option="item_top_n", old=50000, new=20000),)


def test_a_run_that_ends_much_too_soon_is_an_event_of_its_own(tmp_path: Path) -> None:
    async def scenario(service: Service) -> None:
        await service.learn(USUAL_MINUTES * 2)
        await service.train(15)

    events = play(tmp_path, scenario)
    assert kinds_of(events, "v13") == ["appeared", "succeeded", "fast"]
    assert {kind for number in range(1, 13) for kind in kinds_of(events, f"v{number}")} == {"appeared", "succeeded"}


def test_earlier_runs_of_another_service_give_usual_durations_but_no_limit(tmp_path: Path) -> None:
    async def main(clock: VirtualClock) -> list[Event]:
        api, receiver = FakeApi(clock, services=["s1", "s2"]), FakeReceiver()
        service = Service(api)
        async with running_pipeline(
            tmp_path, api, receiver, service_polls(["s1", "s2"], INTERVAL_SECONDS), tick_seconds=TICK_SECONDS
        ):
            await asyncio.sleep(MINUTE)
            await service.learn()
            api.trainings["s2", "v1"] = "learning"
            await asyncio.sleep(9 * HOUR)
            api.trainings["s2", "v1"] = "completed"
            await asyncio.sleep(10 * MINUTE)
        return [event for event in receiver.events if event.service == "s2"]

    _appeared, succeeded = run(main)
    assert succeeded.comparison is not None
    assert succeeded.comparison.usual is not None
    assert (succeeded.comparison.usual.whole_account, succeeded.comparison.pace) == (True, Pace.UNKNOWN)
