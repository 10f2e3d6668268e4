"""R16: the wall clock of the whole daemon steps: the cadence holds, nothing is doubled, forgotten or given up."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Final

import pytest

from tests.support import daemon_in_process
from tests.support.virtual import VirtualClock, run
from tests.support.virtual_consumers import Consumer, VirtualConsumers
from watcher.core.delivery.model import State
from watcher.core.event import Kind
from watcher.store.sqlite import backup_folder

pytestmark = pytest.mark.slow

MINUTE: Final = 60.0
HOUR: Final = 3600.0
STEPS: Final = (timedelta(hours=-1), timedelta(hours=3), timedelta(days=3653))
BEFORE: Final = ("requesting", "waiting")
MEANWHILE: Final = ("learning", "stopping", "learningFailed")
AFTER: Final = ("learning", "completed")
EVERY: Final = 5 * MINUTE
AWAY: Final = ("stopping", "completed")
"""What happens while one receiver is away, just before the clock steps."""


def right(consumers: VirtualConsumers) -> None:
    consumers.world.step_the_clock(timedelta())


async def change(consumers: VirtualConsumers, words: tuple[str, ...]) -> None:
    for word in words:
        consumers.show("v1", word)
        await asyncio.sleep(EVERY)


def announced_of(hook: Consumer, version: str) -> list[str]:
    return [event["to"] for event in hook.events if event["version"] == version]


@pytest.mark.parametrize(("step", "dies"), [*((step, False) for step in STEPS), (STEPS[-1], True)])
def test_r16_with_alerts_waiting_a_step_and_its_mending_double_lose_and_expire_nothing(
    tmp_path: Path, step: timedelta, *, dies: bool
) -> None:
    async def main(clock: VirtualClock) -> VirtualConsumers:
        hooks = {"well": Consumer(clock), "away": Consumer(clock)}
        consumers = VirtualConsumers(tmp_path, clock, hooks, chats=("chat",))
        for version in ("v1", "v2"):
            consumers.show(version, "ready")
        async with consumers.living(ends_in_order=not dies):
            await asyncio.sleep(10 * MINUTE)
            consumers.world.take_longest_wait()
            await change(consumers, BEFORE)
            hooks["away"].mood = lambda hook, _: hook.says(503)
            for word in AWAY:
                consumers.show("v2", word)
                await asyncio.sleep(EVERY)
            consumers.world.step_the_clock(step)
            await change(consumers, MEANWHILE)
        async with consumers.living():
            await asyncio.sleep(EVERY)
            hooks["away"].mood = lambda _hook, _settings: None
            right(consumers)
            consumers.world.quiet_since = clock.monotonic()
            await change(consumers, AFTER)
            await consumers.settled(2 * HOUR)
            assert consumers.world.take_longest_wait() <= consumers.interval_seconds + 1.0
            await asyncio.sleep(HOUR)
        assert consumers.broken_invariants(witnessed=False) == []
        return consumers

    consumers = run(main, threads=False)
    for hook in consumers.hooks.values():
        assert announced_of(hook, "v1") == [*BEFORE, *MEANWHILE, *AFTER]
        assert announced_of(hook, "v2") == [*AWAY]
        assert len(hook.received) == len({item.webhook_id for item in hook.received})
    assert len(consumers.chat.received) == len(consumers.hooks["well"].received)
    states = {
        delivery_outcome.state
        for announced in daemon_in_process.history(tmp_path)
        for delivery_outcome in announced.delivery_outcomes
    }
    assert states == {State.DELIVERED}
    others = {event.kind for event in consumers.recorded() if event.version is None}
    assert others <= {Kind.CLOCK_SKEW, Kind.RECOVERED}


@pytest.mark.parametrize("step", STEPS)
def test_r16_after_a_step_the_newest_backup_has_what_is_newest_and_no_more_are_made_than_are_due(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: timedelta
) -> None:
    monkeypatch.setattr(backup_folder, "EVERY", timedelta(hours=3))

    async def main(clock: VirtualClock) -> VirtualConsumers:
        consumers = VirtualConsumers(tmp_path, clock, {"hook": Consumer(clock)}, interval_seconds=300)
        consumers.show("v1", "waiting")
        async with consumers.living():
            await asyncio.sleep(HOUR)
            consumers.world.step_the_clock(step)
            await asyncio.sleep(12 * MINUTE)
            right(consumers)
            await asyncio.sleep(HOUR)
            consumers.show("v1", "learning")
            await asyncio.sleep(7 * HOUR)
        return consumers

    run(main, threads=False)
    backups = backup_folder.BackupFolder(tmp_path / "watcher.db")
    newest = backups.newest_sound()
    assert newest is not None
    with closing(sqlite3.connect(newest[1])) as backup:
        assert backup.execute("SELECT count(*) FROM event WHERE subject LIKE 'training:%'").fetchone() == (1,)
    assert len(backups.backups()) <= 6
