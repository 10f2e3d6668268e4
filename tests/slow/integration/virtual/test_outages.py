"""Hours of outages on virtual time, with real stages, store, client and budget."""

from __future__ import annotations

import asyncio
import itertools
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.support.daemon_in_process import history
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
from watcher.core.delivery.model import DeliveryRequest, Outcome, TryLater
from watcher.core.delivery.reason import text_reason

HOUR = 3600.0
SERVICES = ("s1", "s2", "s3")


def test_r13_after_hours_without_slack_everything_is_delivered_in_order_at_its_pace(tmp_path: Path) -> None:
    async def main(clock: VirtualClock) -> FakeReceiver:
        api, receiver = FakeApi(clock), FakeReceiver(pace_seconds=1.0)
        down = True

        def outcome(_request: DeliveryRequest) -> Outcome:
            return TryLater(reason=text_reason("http 503")) if down else accept(_request)

        accept, receiver.outcome = receiver.outcome, outcome
        api.trainings = {("s1", f"v{number}"): "learning" for number in range(100)}
        async with running_pipeline(tmp_path, api, receiver, service_polls(["s1"]), tick_seconds=5):
            await asyncio.sleep(60)
            for status in ("stopping", "learningFailed"):
                api.trainings = dict.fromkeys(api.trainings, status)
                await asyncio.sleep(60)
            await asyncio.sleep(3 * HOUR)
            down = False
            await asyncio.sleep(2 * HOUR)
        assert broken_invariants(tmp_path, api, receiver) == []
        return receiver

    receiver = run(main)
    assert len(receiver.events) == 200
    for version in {event.version for event in receiver.events}:
        assert [event.seq for event in receiver.events if event.version == version] == [1, 2]
    gaps = [later - earlier for earlier, later in itertools.pairwise(receiver.times)]
    assert min(gaps) >= 1.0 - 1e-6


def test_r16_a_step_of_the_wall_clock_changes_no_interval_and_repeats_nothing(tmp_path: Path) -> None:
    async def main(clock: VirtualClock) -> tuple[FakeApi, FakeReceiver]:
        api, receiver = FakeApi(clock), FakeReceiver()
        api.trainings = {("s1", "v"): "learning"}
        async with running_pipeline(tmp_path, api, receiver, service_polls(["s1"])):
            await asyncio.sleep(300)
            for step in (timedelta(hours=-1), timedelta(hours=3), timedelta(days=3650)):
                clock.step += step
                await asyncio.sleep(300)
            clock.step = timedelta()
            api.trainings["s1", "v"] = "completed"
            await asyncio.sleep(300)
        assert broken_invariants(tmp_path, api, receiver) == []
        return api, receiver

    api, receiver = run(main)
    lists = [time for time, path in zip(api.request_times, api.paths, strict=True) if path.endswith("/trains")]
    gaps = [later - earlier for earlier, later in itertools.pairwise(lists) if later < 1200]
    assert max(gaps) <= 30.2
    assert receiver.kinds == ["succeeded"]
    (event,) = receiver.events
    assert event.after >= START + timedelta(seconds=1200 - 31), "a corrected clock gives no times of 2036"


@pytest.mark.parametrize("step", [timedelta(hours=-1), timedelta(hours=3), timedelta(days=3650)])
def test_r16_changes_after_a_step_are_announced_once_and_in_order(tmp_path: Path, step: timedelta) -> None:
    async def main(clock: VirtualClock) -> FakeReceiver:
        api, receiver = FakeApi(clock), FakeReceiver()
        api.trainings = {("s1", "v"): "requesting"}
        async with running_pipeline(tmp_path, api, receiver, service_polls(["s1"])):
            await asyncio.sleep(300)
            clock.step = step
            for status in ("waiting", "learning", "completed"):
                api.trainings["s1", "v"] = status
                await asyncio.sleep(300)
        assert broken_invariants(tmp_path, api, receiver, stepped=True) == []
        return receiver

    receiver = run(main)
    assert [(event.seq, event.to_status) for event in receiver.events] == [
        (1, "waiting"),
        (2, "learning"),
        (3, "completed"),
    ]
    assert all(event.after <= event.before for event in receiver.events)
    assert not any(event.late for event in receiver.events)


@pytest.mark.parametrize(
    ("zone", "change"),
    [
        ("Europe/Berlin", datetime(2026, 10, 25, 1, tzinfo=UTC)),
        ("America/New_York", datetime(2027, 3, 14, 7, tzinfo=UTC)),
    ],
)
def test_r16_a_change_to_or_from_summer_time_has_no_effect(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, zone: str, change: datetime
) -> None:
    monkeypatch.setenv("TZ", zone)
    time.tzset()

    async def main(clock: VirtualClock) -> tuple[FakeApi, FakeReceiver]:
        clock.step = change - timedelta(minutes=10) - START
        api, receiver = FakeApi(clock), FakeReceiver()
        api.trainings = {("s1", "v"): "learning"}
        async with running_pipeline(tmp_path, api, receiver, service_polls(["s1"])):
            await asyncio.sleep(590)
            api.trainings["s1", "v"] = "completed"
            await asyncio.sleep(600)
        assert broken_invariants(tmp_path, api, receiver, stepped=True) == []
        return api, receiver

    try:
        api, receiver = run(main)
    finally:
        monkeypatch.undo()
        time.tzset()
    gaps = [later - earlier for earlier, later in itertools.pairwise(api.request_times) if later < 590]
    assert max(gaps) <= 30.2
    (event,) = receiver.events
    assert change - timedelta(seconds=45) < event.after < event.before < change + timedelta(seconds=30)


@pytest.mark.parametrize("seconds", [-5, 5])
def test_r16_a_server_whose_clock_is_five_seconds_off_is_no_failure(tmp_path: Path, seconds: int) -> None:
    async def main(clock: VirtualClock) -> FakeReceiver:
        api, receiver = FakeApi(clock, date_offset=timedelta(seconds=seconds)), FakeReceiver()
        api.trainings = {("s1", "v"): "learning"}
        async with running_pipeline(tmp_path, api, receiver, service_polls(["s1"])):
            await asyncio.sleep(HOUR)
            api.trainings["s1", "v"] = "completed"
            await asyncio.sleep(300)
        assert broken_invariants(tmp_path, api, receiver) == []
        return receiver

    assert run(main).kinds == ["succeeded"]


def test_r23_a_restart_after_three_days_announces_the_changes_once_and_late(tmp_path: Path) -> None:
    async def main(clock: VirtualClock) -> FakeReceiver:
        api, receiver = FakeApi(clock), FakeReceiver()
        api.trainings = {(service, f"v{number}"): "learning" for service in SERVICES for number in range(5)}
        async with running_pipeline(tmp_path, api, receiver, service_polls(SERVICES)):
            await asyncio.sleep(300)
        await asyncio.sleep(3 * 24 * HOUR)
        api.trainings = dict.fromkeys(api.trainings, "completed")
        for _ in range(2):
            async with running_pipeline(tmp_path, api, receiver, service_polls(SERVICES)):
                await asyncio.sleep(600)
        assert broken_invariants(tmp_path, api, receiver) == []
        return receiver

    receiver = run(main)
    assert receiver.kinds == ["succeeded"] * 15
    assert all(event.late for event in receiver.events)
    assert len(receiver.messages) == 1, "one message for all changes"


def test_a_stop_waits_for_the_confirming_view_of_an_open_poll(tmp_path: Path) -> None:
    async def main(clock: VirtualClock) -> None:
        api, receiver = FakeApi(clock, latency_seconds=0.3), FakeReceiver()
        api.trainings = {("s1", "v"): "learning"}
        async with running_pipeline(tmp_path, api, receiver, service_polls(["s1"], 1, 1)) as poller:
            await asyncio.sleep(10)
            api.trainings["s1", "v"] = "completed"
            count = len(api.request_times)
            while len(api.request_times) == count:
                await asyncio.sleep(0.05)
        assert api.paths[-1].endswith("/versions/v")
        assert not poller._tasks

    run(main)
    (announced,) = history(tmp_path)
    assert (announced.event.to_status, announced.event.confirmed) == ("completed", True)


@pytest.mark.parametrize("services", [10])
def test_a_thousand_trainings_in_ten_services_take_ten_list_calls_a_round(tmp_path: Path, services: int) -> None:
    async def main(clock: VirtualClock) -> FakeApi:
        api, receiver = FakeApi(clock), FakeReceiver()
        names = [f"s{number}" for number in range(services)]
        api.trainings = {(name, f"v{number}"): "learning" for name in names for number in range(100)}
        async with running_pipeline(tmp_path, api, receiver, service_polls(names, 1, 1)):
            await asyncio.sleep(30)
        return api

    api = run(main)
    assert len(api.request_times) <= services * 31 * 1.2
