"""R23: a first start announces no existing status; a start after days announces the changes, once and late."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path
from typing import Final

import pytest

from tests.support.fault_table import rounds
from tests.support.virtual import VirtualClock, run
from tests.support.virtual_consumers import Behaviour, Consumer, VirtualConsumers
from watcher.core.training.model import Status
from watcher.http import HttpResult, HttpSettings

HOUR: Final = 3600.0
DAY: Final = 24 * HOUR
SERVICES: Final = tuple(f"s{number}" for number in range(10))
STATUSES: Final = (*(status.value for status in Status), "paused")
TRAININGS_EACH: Final = 50


def with_five_hundred_trainings(folder: Path, clock: VirtualClock) -> VirtualConsumers:
    """Return a daemon before its first start, with five hundred trainings in every status."""
    consumers = VirtualConsumers(folder, clock, {"hook": Consumer(clock)}, chats=("chat",), services=SERVICES)
    for service in SERVICES:
        for number in range(TRAININGS_EACH):
            consumers.set_status(f"v{number}", STATUSES[number % len(STATUSES)], service)
    return consumers


def test_r23_a_first_start_with_five_hundred_trainings_in_every_status_announces_nothing(tmp_path: Path) -> None:
    async def main(clock: VirtualClock) -> None:
        consumers = with_five_hundred_trainings(tmp_path, clock)
        async with consumers.running() as daemon:
            await asyncio.sleep(HOUR)
            assert daemon.poller.watched() == (len(SERVICES) * TRAININGS_EACH, len(SERVICES))
            assert (consumers.recorded(), consumers.message_count()) == ([], 0)
            consumers.set_status("v3", "completed", "s7")
            await asyncio.sleep(120)
            await consumers.wait_until_delivered()
        assert [(event["service"], event["version"]) for event in consumers.hooks["hook"].events] == [("s7", "v3")]
        assert consumers.broken_invariants() == []

    run(main)


def test_r23_a_first_start_with_crashes_in_its_first_round_announces_nothing(tmp_path: Path) -> None:
    async def main(clock: VirtualClock) -> None:
        consumers = with_five_hundred_trainings(tmp_path, clock)
        for number in range(rounds(few=8, full=60)):
            async with consumers.running(graceful=False):
                await asyncio.sleep(0.1 + 2.7 * (number % 12))
        async with consumers.running():
            await asyncio.sleep(600)
        assert (consumers.recorded(), consumers.message_count()) == ([], 0)
        assert consumers.broken_invariants() == []

    run(main)


def test_r23_a_first_start_during_an_api_outage_announces_only_the_outage(tmp_path: Path) -> None:
    async def main(clock: VirtualClock) -> None:
        consumers = with_five_hundred_trainings(tmp_path, clock)
        consumers.api.fault = lambda _now, _path: consumers.api.answer(503, {"error": {"errorCode": "500"}})
        async with consumers.running():
            await asyncio.sleep(2 * HOUR)
            consumers.api.fault = lambda _now, _path: None
            await asyncio.sleep(HOUR)
            await consumers.wait_until_delivered()
        assert [event.kind for event in consumers.recorded()] == ["unreachable", "recovered"]
        assert consumers.broken_invariants() == []

    run(main)


CHANGES: Final = {
    "unchanged": ("learning", "learning"),
    "ended": ("learning", "completed"),
    "failed": ("waiting", "learningFailed"),
    "advanced": ("waiting", "learning"),
    "unknown": ("learning", "paused"),
    "restarted": ("completed", "learning"),
    "moved-back": ("learning", "waiting"),
    "gone": ("completed", None),
    "new": (None, "learning"),
    "new-and-over": (None, "learningFailed"),
}
KINDS: Final = {
    "ended": "succeeded",
    "failed": "failed",
    "advanced": "progress",
    "unknown": "unknown-status",
    "restarted": "restarted",
    "moved-back": "progress",
    "gone": "gone",
    "new": "appeared",
    "new-and-over": "failed",
}
SKIPPED: Final = {"failed": ["learning"]}
COPIES: Final = 3


def test_r23_after_three_days_without_the_daemon_each_kind_of_change_is_announced_once_and_late(tmp_path: Path) -> None:
    async def main(clock: VirtualClock) -> VirtualConsumers:
        consumers = VirtualConsumers(tmp_path, clock, {"hook": Consumer(clock)}, chats=("chat",), services=SERVICES[:3])
        names = [(service, name, n) for service in consumers.services for name in CHANGES for n in range(COPIES)]
        for service, name, n in names:
            if (status := CHANGES[name][0]) is not None:
                consumers.set_status(f"{name}-{n}", status, service)
        async with consumers.running():
            await asyncio.sleep(HOUR)
        await asyncio.sleep(3 * DAY)
        for service, name, n in names:
            if (status := CHANGES[name][1]) is not None:
                consumers.set_status(f"{name}-{n}", status, service)
            else:
                consumers.delete_training(f"{name}-{n}", service)
        for _ in range(3):
            async with consumers.running():
                await asyncio.sleep(HOUR)
                await consumers.wait_until_delivered()
        assert consumers.broken_invariants() == []
        return consumers

    consumers = run(main)
    events = consumers.hooks["hook"].events
    announced = Counter((event["service"], event["version"], event["kind"]) for event in events)
    assert announced == Counter(
        (service, f"{name}-{n}", kind)
        for service in consumers.services
        for name, kind in KINDS.items()
        for n in range(COPIES)
    )
    assert all(event["late"] for event in events)
    assert all(event["skipped"] == SKIPPED.get(event["version"].rpartition("-")[0], []) for event in events)
    failures = sum(event["kind"] == "failed" for event in events)
    largest = 40
    assert len(consumers.hooks["hook"].received) <= failures + -(-(len(events) - failures) // largest) + 1


def accept(_hook: Consumer, _settings: HttpSettings) -> None:
    return None


def pause_once(hook: Consumer, _settings: HttpSettings) -> HttpResult | None:
    """Ask for a pause of one minute once, as Slack may at a burst."""
    first, hook.behaviour = hook.behaviour is pause_once, accept
    return hook.respond(429, headers={"retry-after": "60"}) if first else None


@pytest.mark.parametrize("behaviour", [accept, pause_once])
def test_r23_pending_deliveries_are_tried_before_they_expire_after_a_long_absence(
    tmp_path: Path, behaviour: Behaviour
) -> None:
    async def main(clock: VirtualClock) -> VirtualConsumers:
        consumers = VirtualConsumers(tmp_path, clock, {"hook": Consumer(clock)})
        for number in range(10):
            consumers.set_status(f"v{number}", "learning")
        async with consumers.running():
            await asyncio.sleep(120)
            consumers.hooks["hook"].behaviour = lambda hook, _: hook.respond(503)
            for status in ("stopping", "completed"):
                for number in range(10):
                    consumers.set_status(f"v{number}", status)
                await asyncio.sleep(120)
        await asyncio.sleep(4 * DAY)
        consumers.hooks["hook"].behaviour = behaviour
        async with consumers.running():
            await consumers.wait_until_delivered(HOUR)
        assert consumers.broken_invariants() == []
        return consumers

    events = run(main).hooks["hook"].events
    # The delivery that got the pause was tried once, and is too old for a second attempt.
    assert len(events) >= 20 - (behaviour is pause_once)
