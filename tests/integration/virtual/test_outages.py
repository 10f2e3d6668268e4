"""Hours of trouble in virtual time: real stages, real store, real client and budget."""

from __future__ import annotations

import asyncio
import itertools
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.support.daemon_in_process import history
from tests.support.virtual import START, Ear, VirtualClock, World, broken_invariants, run, service_polls, watching
from watcher.core.delivery.model import DeliveryRequest, Outcome, TryLater

pytestmark = pytest.mark.slow

HOUR = 3600.0
SERVICES = ("s1", "s2", "s3")


def test_r13_hours_without_slack_delivers_everything_in_order_at_its_pace(tmp_path: Path) -> None:
    async def main(clock: VirtualClock) -> Ear:
        world, ear = World(clock), Ear(pace_seconds=1.0)
        down = True

        def moody(_request: DeliveryRequest) -> Outcome:
            return TryLater(reason="http 503") if down else good(_request)

        good, ear.outcome = ear.outcome, moody
        world.trainings = {("s1", f"v{number}"): "learning" for number in range(100)}
        async with watching(tmp_path, world, ear, service_polls(["s1"]), ring_seconds=5):
            await asyncio.sleep(60)
            for word in ("stopping", "learningFailed"):
                world.trainings = dict.fromkeys(world.trainings, word)
                await asyncio.sleep(60)
            await asyncio.sleep(3 * HOUR)
            down = False
            await asyncio.sleep(2 * HOUR)
        assert broken_invariants(tmp_path, world, ear) == []
        return ear

    ear = run(main)
    assert len(ear.events) == 200
    for version in {event.version for event in ear.events}:
        assert [event.seq for event in ear.events if event.version == version] == [1, 2]
    gaps = [later - earlier for earlier, later in itertools.pairwise(ear.times)]
    assert min(gaps) >= 1.0 - 1e-6


def test_r16_a_step_of_the_wall_clock_changes_no_cadence_and_doubles_nothing(tmp_path: Path) -> None:
    async def main(clock: VirtualClock) -> tuple[World, Ear]:
        world, ear = World(clock), Ear()
        world.trainings = {("s1", "v"): "learning"}
        async with watching(tmp_path, world, ear, service_polls(["s1"])):
            await asyncio.sleep(300)
            for step in (timedelta(hours=-1), timedelta(hours=3), timedelta(days=3650)):
                clock.step += step
                await asyncio.sleep(300)
            clock.step = timedelta()
            world.trainings["s1", "v"] = "completed"
            await asyncio.sleep(300)
        assert broken_invariants(tmp_path, world, ear) == []
        return world, ear

    world, ear = run(main)
    lists = [moment for moment, path in zip(world.asked, world.paths, strict=True) if path.endswith("/trains")]
    gaps = [later - earlier for earlier, later in itertools.pairwise(lists) if later < 1200]
    assert max(gaps) <= 30.2
    assert ear.kinds == ["succeeded"]
    (event,) = ear.events
    assert event.after >= START + timedelta(seconds=1200 - 31), (
        "a clock that was set right again speaks no more of 2036"
    )


@pytest.mark.parametrize("step", [timedelta(hours=-1), timedelta(hours=3), timedelta(days=3650)])
def test_r16_what_changes_after_a_step_is_announced_once_and_in_order(tmp_path: Path, step: timedelta) -> None:
    async def main(clock: VirtualClock) -> Ear:
        world, ear = World(clock), Ear()
        world.trainings = {("s1", "v"): "requesting"}
        async with watching(tmp_path, world, ear, service_polls(["s1"])):
            await asyncio.sleep(300)
            clock.step = step
            for word in ("waiting", "learning", "completed"):
                world.trainings["s1", "v"] = word
                await asyncio.sleep(300)
        assert broken_invariants(tmp_path, world, ear, stepped=True) == []
        return ear

    ear = run(main)
    assert [(event.seq, event.to_status) for event in ear.events] == [(1, "waiting"), (2, "learning"), (3, "completed")]
    assert all(event.after <= event.before for event in ear.events)
    assert not any(event.late for event in ear.events)


@pytest.mark.parametrize(
    ("zone", "turn"),
    [
        ("Europe/Berlin", datetime(2026, 10, 25, 1, tzinfo=UTC)),
        ("America/New_York", datetime(2027, 3, 14, 7, tzinfo=UTC)),
    ],
)
def test_r16_the_night_the_clocks_are_changed_is_a_night_like_any_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, zone: str, turn: datetime
) -> None:
    monkeypatch.setenv("TZ", zone)
    time.tzset()

    async def main(clock: VirtualClock) -> tuple[World, Ear]:
        clock.step = turn - timedelta(minutes=10) - START
        world, ear = World(clock), Ear()
        world.trainings = {("s1", "v"): "learning"}
        async with watching(tmp_path, world, ear, service_polls(["s1"])):
            await asyncio.sleep(590)
            world.trainings["s1", "v"] = "completed"
            await asyncio.sleep(600)
        assert broken_invariants(tmp_path, world, ear, stepped=True) == []
        return world, ear

    try:
        world, ear = run(main)
    finally:
        monkeypatch.undo()
        time.tzset()
    gaps = [later - earlier for earlier, later in itertools.pairwise(world.asked) if later < 590]
    assert max(gaps) <= 30.2
    (event,) = ear.events
    assert turn - timedelta(seconds=45) < event.after < event.before < turn + timedelta(seconds=30)


@pytest.mark.parametrize("seconds", [-5, 5])
def test_r16_a_server_whose_clock_is_five_seconds_off_is_no_failure(tmp_path: Path, seconds: int) -> None:
    async def main(clock: VirtualClock) -> Ear:
        world, ear = World(clock, date_off=timedelta(seconds=seconds)), Ear()
        world.trainings = {("s1", "v"): "learning"}
        async with watching(tmp_path, world, ear, service_polls(["s1"])):
            await asyncio.sleep(HOUR)
            world.trainings["s1", "v"] = "completed"
            await asyncio.sleep(300)
        assert broken_invariants(tmp_path, world, ear) == []
        return ear

    assert run(main).kinds == ["succeeded"]


def test_r23_a_restart_after_three_days_announces_what_changed_once_and_late(tmp_path: Path) -> None:
    async def main(clock: VirtualClock) -> Ear:
        world, ear = World(clock), Ear()
        world.trainings = {(service, f"v{number}"): "learning" for service in SERVICES for number in range(5)}
        async with watching(tmp_path, world, ear, service_polls(SERVICES)):
            await asyncio.sleep(300)
        await asyncio.sleep(3 * 24 * HOUR)
        world.trainings = dict.fromkeys(world.trainings, "completed")
        for _ in range(2):
            async with watching(tmp_path, world, ear, service_polls(SERVICES)):
                await asyncio.sleep(600)
        assert broken_invariants(tmp_path, world, ear) == []
        return ear

    ear = run(main)
    assert ear.kinds == ["succeeded"] * 15
    assert all(event.late for event in ear.events)
    assert len(ear.heard) == 1, "one message for what happened meanwhile"


def test_a_stop_waits_also_for_the_view_that_a_poll_under_way_wants(tmp_path: Path) -> None:
    async def main(clock: VirtualClock) -> None:
        world, ear = World(clock, latency_seconds=0.3), Ear()
        world.trainings = {("s1", "v"): "learning"}
        async with watching(tmp_path, world, ear, service_polls(["s1"], 1, 1)) as poller:
            await asyncio.sleep(10)
            world.trainings["s1", "v"] = "completed"
            asked = len(world.asked)
            while len(world.asked) == asked:
                await asyncio.sleep(0.05)
        assert world.paths[-1].endswith("/versions/v")
        assert not poller._tasks

    run(main)
    (announced,) = history(tmp_path)
    assert (announced.event.to_status, announced.event.confirmed) == ("completed", True)


@pytest.mark.parametrize("services", [10])
def test_a_thousand_trainings_in_ten_services_take_ten_list_calls_a_round(tmp_path: Path, services: int) -> None:
    async def main(clock: VirtualClock) -> World:
        world, ear = World(clock), Ear()
        names = [f"s{number}" for number in range(services)]
        world.trainings = {(name, f"v{number}"): "learning" for name in names for number in range(100)}
        async with watching(tmp_path, world, ear, service_polls(names, 1, 1)):
            await asyncio.sleep(30)
        return world

    world = run(main)
    assert len(world.asked) <= services * 31 * 1.2
