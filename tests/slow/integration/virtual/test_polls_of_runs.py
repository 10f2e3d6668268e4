"""The polls of trainings in progress: at a limit of stuck, and where an end is likely."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from tests.integration.virtual.test_stuck import (
    HOUR,
    MINUTE,
    TICK_SECONDS,
    ConfiguredApi,
    Service,
    of_kind,
    play,
    polls,
)
from tests.support.virtual import FakeReceiver, VirtualClock, broken_invariants, run, running_pipeline
from watcher.core.event import Kind
from watcher.core.polling.schedule import Cadence
from watcher.core.training.stuck_rules import StuckRules


def test_a_limit_is_met_between_two_polls_of_the_idle_interval(tmp_path: Path) -> None:
    async def scenario(service: Service) -> None:
        service.start()
        await asyncio.sleep(40 * HOUR)

    limit = timedelta(hours=30, minutes=7)
    (stuck,) = of_kind(play(tmp_path, scenario, polls(StuckRules(usual=limit), idle_seconds=2 * HOUR)), Kind.STUCK)
    assert stuck.stuck is not None
    assert stuck.before - stuck.stuck.since.before < limit + timedelta(minutes=3)


def test_auto_polls_rarely_before_the_usual_end_and_often_around_it(tmp_path: Path) -> None:
    cadence = Cadence(interval=timedelta(seconds=200), idle_interval=timedelta(seconds=600), adapts=True)

    async def main(clock: VirtualClock) -> list[float]:
        api, receiver = ConfiguredApi(clock, services=["s1"]), FakeReceiver()
        api.service = service = Service(api)
        planned = [replace(polls()[0], cadence=cadence)]
        async with running_pipeline(tmp_path, api, receiver, planned, tick_seconds=TICK_SECONDS):
            await asyncio.sleep(MINUTE)
            await service.learn((300, 301, 299, 300, 302, 298, 300))
            version = service.start()
            begun = clock.monotonic()
            await asyncio.sleep(50 * 6 * MINUTE)
            service.set(version, "completed")
            await asyncio.sleep(HOUR)
        assert broken_invariants(tmp_path, api, receiver) == []
        return [(time - begun) / MINUTE for time in api.request_times if time > begun]

    times = run(main)
    early, usual = sum(60 < time < 180 for time in times), sum(280 < time < 300 for time in times)
    assert usual / 20 > 3 * early / 120
