"""R23: a first start tells nothing of what is; a start after days tells what changed, once and as late."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path
from typing import Final

import pytest

from tests.support.fault_table import rounds
from tests.support.virtual import VirtualClock, run
from tests.support.virtual_consumers import Consumer, Mood, VirtualConsumers
from watcher.core.training.model import Status
from watcher.http import HttpResult, HttpSettings

pytestmark = pytest.mark.slow

HOUR: Final = 3600.0
DAY: Final = 24 * HOUR
SERVICES: Final = tuple(f"s{number}" for number in range(10))
WORDS: Final = (*(status.value for status in Status), "paused")
EACH: Final = 50


def crowded(folder: Path, clock: VirtualClock) -> VirtualConsumers:
    """Return a daemon before its first start, on five hundred trainings in every word."""
    consumers = VirtualConsumers(folder, clock, {"hook": Consumer(clock)}, chats=("chat",), services=SERVICES)
    for service in SERVICES:
        for number in range(EACH):
            consumers.show(f"v{number}", WORDS[number % len(WORDS)], service)
    return consumers


def test_r23_a_first_start_on_five_hundred_trainings_in_every_word_announces_nothing(tmp_path: Path) -> None:
    async def main(clock: VirtualClock) -> None:
        consumers = crowded(tmp_path, clock)
        async with consumers.living() as daemon:
            await asyncio.sleep(HOUR)
            assert daemon.poller.watched() == (len(SERVICES) * EACH, len(SERVICES))
            assert (consumers.recorded(), consumers.hook_count()) == ([], 0)
            consumers.show("v3", "completed", "s7")
            await asyncio.sleep(120)
            await consumers.settled()
        assert [(event["service"], event["version"]) for event in consumers.hooks["hook"].events] == [("s7", "v3")]
        assert consumers.broken_invariants() == []

    run(main, threads=False)


def test_r23_a_first_start_that_dies_again_and_again_in_its_first_round_announces_nothing(tmp_path: Path) -> None:
    async def main(clock: VirtualClock) -> None:
        consumers = crowded(tmp_path, clock)
        for life in range(rounds(few=12, full=60)):
            async with consumers.living(ends_in_order=False):
                await asyncio.sleep(0.1 + 2.7 * (life % 12))
        async with consumers.living():
            await asyncio.sleep(600)
        assert (consumers.recorded(), consumers.hook_count()) == ([], 0)
        assert consumers.broken_invariants() == []

    run(main, threads=False)


def test_r23_a_first_start_while_the_api_is_away_announces_of_that_alone(tmp_path: Path) -> None:
    async def main(clock: VirtualClock) -> None:
        consumers = crowded(tmp_path, clock)
        consumers.world.trouble = lambda _now, _path: consumers.world.answer(503, {"error": {"errorCode": "500"}})
        async with consumers.living():
            await asyncio.sleep(2 * HOUR)
            consumers.world.trouble = lambda _now, _path: None
            await asyncio.sleep(HOUR)
            await consumers.settled()
        assert [event.kind for event in consumers.recorded()] == ["unreachable", "recovered"]
        assert consumers.broken_invariants() == []

    run(main, threads=False)


CHANGES: Final = {
    "stayed": ("learning", "learning"),
    "ended": ("learning", "completed"),
    "failed": ("waiting", "learningFailed"),
    "moved": ("waiting", "learning"),
    "strange": ("learning", "paused"),
    "restarted": ("completed", "learning"),
    "taken-back": ("learning", "waiting"),
    "gone": ("completed", None),
    "new": (None, "learning"),
    "new-and-over": (None, "learningFailed"),
}
KINDS: Final = {
    "ended": "succeeded",
    "failed": "failed",
    "moved": "progress",
    "strange": "unknown-status",
    "restarted": "restarted",
    "taken-back": "progress",
    "gone": "gone",
    "new": "appeared",
    "new-and-over": "failed",
}
SKIPPED: Final = {"failed": ["learning"]}
OF_EACH: Final = 3


def test_r23_after_three_days_off_each_change_of_every_kind_is_announced_once_and_late(tmp_path: Path) -> None:
    async def main(clock: VirtualClock) -> VirtualConsumers:
        consumers = VirtualConsumers(tmp_path, clock, {"hook": Consumer(clock)}, chats=("chat",), services=SERVICES[:3])
        names = [(service, name, n) for service in consumers.services for name in CHANGES for n in range(OF_EACH)]
        for service, name, n in names:
            if (word := CHANGES[name][0]) is not None:
                consumers.show(f"{name}-{n}", word, service)
        async with consumers.living():
            await asyncio.sleep(HOUR)
        await asyncio.sleep(3 * DAY)
        for service, name, n in names:
            if (word := CHANGES[name][1]) is not None:
                consumers.show(f"{name}-{n}", word, service)
            else:
                consumers.prune(f"{name}-{n}", service)
        for _ in range(3):
            async with consumers.living():
                await asyncio.sleep(HOUR)
                await consumers.settled()
        assert consumers.broken_invariants() == []
        return consumers

    consumers = run(main, threads=False)
    events = consumers.hooks["hook"].events
    announced = Counter((event["service"], event["version"], event["kind"]) for event in events)
    assert announced == Counter(
        (service, f"{name}-{n}", kind)
        for service in consumers.services
        for name, kind in KINDS.items()
        for n in range(OF_EACH)
    )
    assert all(event["late"] for event in events)
    assert all(event["skipped"] == SKIPPED.get(event["version"].rpartition("-")[0], []) for event in events)
    failures = sum(event["kind"] == "failed" for event in events)
    largest = 20
    assert len(consumers.hooks["hook"].received) <= failures + -(-(len(events) - failures) // largest) + 1


def at_once(_hook: Consumer, _settings: HttpSettings) -> None:
    return None


def not_so_fast(hook: Consumer, _settings: HttpSettings) -> HttpResult | None:
    """Ask for a minute's pause once, as Slack may when much comes at once."""
    first, hook.mood = hook.mood is not_so_fast, at_once
    return hook.says(429, headers={"retry-after": "60"}) if first else None


@pytest.mark.parametrize("mood", [at_once, not_so_fast])
def test_r23_what_waited_when_it_went_off_for_longer_than_is_tried_is_announced_before_it_is_expired(
    tmp_path: Path, mood: Mood
) -> None:
    async def main(clock: VirtualClock) -> VirtualConsumers:
        consumers = VirtualConsumers(tmp_path, clock, {"hook": Consumer(clock)})
        for number in range(10):
            consumers.show(f"v{number}", "learning")
        async with consumers.living():
            await asyncio.sleep(120)
            consumers.hooks["hook"].mood = lambda hook, _: hook.says(503)
            for word in ("stopping", "completed"):
                for number in range(10):
                    consumers.show(f"v{number}", word)
                await asyncio.sleep(120)
        await asyncio.sleep(4 * DAY)
        consumers.hooks["hook"].mood = mood
        async with consumers.living():
            await consumers.settled(HOUR)
        assert consumers.broken_invariants() == []
        return consumers

    events = run(main, threads=False).hooks["hook"].events
    # What was put off itself was tried, and is too old to be tried again.
    assert len(events) >= 20 - (mood is not_so_fast)
