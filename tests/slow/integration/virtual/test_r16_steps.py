"""R16: steps of the daemon's wall clock change no interval, and nothing is repeated, pruned or expired."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import pytest

from tests.support import daemon_in_process
from tests.support.virtual import VirtualClock, run
from tests.support.virtual_consumers import Consumer, VirtualConsumers
from watcher.core.delivery.state import State
from watcher.core.event import Kind
from watcher.store.sqlite import backup_folder

MINUTE: Final = 60.0
HOUR: Final = 3600.0
STEPS: Final = (timedelta(hours=-1), timedelta(hours=3), timedelta(days=3653))
BEFORE: Final = ("requesting", "waiting")
MEANWHILE: Final = ("learning", "stopping", "learningFailed")
AFTER: Final = ("learning", "completed")
EVERY: Final = 5 * MINUTE
WHILE_FAILING: Final = ("stopping", "completed")
"""The changes during the failure of one receiver, just before the step."""
FAILING_AFTER: Final = timedelta(minutes=15)
ABOUT_RECEIVERS: Final = [Kind.RECEIVER_FAILING, Kind.RECEIVER_RECOVERED]


def correct_clock(consumers: VirtualConsumers) -> None:
    consumers.api.step_clock(timedelta())


async def change(consumers: VirtualConsumers, statuses: tuple[str, ...]) -> None:
    for status in statuses:
        consumers.set_status("v1", status)
        await asyncio.sleep(EVERY)


def announced_statuses(hook: Consumer, version: str) -> list[str]:
    return [event["to"] for event in hook.events if event["version"] == version]


def assert_announced_in_time(consumers: VirtualConsumers, failed_at: datetime) -> None:
    """Check that only the failing receiver is announced, once, and not earlier by a step than ``failing_after``."""
    working = consumers.hooks["working"].received
    announced = [(item.at, event) for item in working for event in item.events if event["receiver"]]
    assert {event["receiver"]["name"] for _, event in announced} <= {"failing"}
    assert [event["kind"] for _, event in announced] in ([], ABOUT_RECEIVERS)
    assert all(at - failed_at >= FAILING_AFTER for at, _ in announced)


@pytest.mark.parametrize(
    ("step", "dies"),
    [
        *(pytest.param(step, False, marks=() if step == STEPS[0] else pytest.mark.torture) for step in STEPS),
        (STEPS[-1], True),
    ],
)
def test_r16_a_step_and_its_correction_repeat_lose_and_expire_nothing_that_is_pending(
    tmp_path: Path, step: timedelta, *, dies: bool
) -> None:
    async def main(clock: VirtualClock) -> VirtualConsumers:
        hooks = {"working": Consumer(clock), "failing": Consumer(clock)}
        consumers = VirtualConsumers(tmp_path, clock, hooks, chats=("chat",))
        for version in ("v1", "v2"):
            consumers.set_status(version, "ready")
        async with consumers.running(graceful=not dies):
            await asyncio.sleep(10 * MINUTE)
            consumers.api.take_longest_wait()
            await change(consumers, BEFORE)
            hooks["failing"].behaviour = lambda hook, _: hook.respond(503)
            failed_at = clock.true_now()
            for status in WHILE_FAILING:
                consumers.set_status("v2", status)
                await asyncio.sleep(EVERY)
            consumers.api.step_clock(step)
            await change(consumers, MEANWHILE)
        async with consumers.running():
            await asyncio.sleep(EVERY)
            hooks["failing"].behaviour = lambda _hook, _settings: None
            correct_clock(consumers)
            consumers.api.waits_count_from = clock.monotonic()
            await change(consumers, AFTER)
            await consumers.wait_until_delivered(2 * HOUR)
            assert consumers.api.take_longest_wait() <= consumers.interval_seconds + 1.0
            await asyncio.sleep(HOUR)
        assert consumers.broken_invariants(answers_comparable=False) == []
        assert_announced_in_time(consumers, failed_at)
        return consumers

    consumers = run(main)
    for hook in consumers.hooks.values():
        assert announced_statuses(hook, "v1") == [*BEFORE, *MEANWHILE, *AFTER]
        assert announced_statuses(hook, "v2") == [*WHILE_FAILING]
        assert len(hook.received) == len({item.webhook_id for item in hook.received})
    assert len(consumers.chat.received) == len(consumers.hooks["working"].received)
    states = {
        outcome.state for announced in daemon_in_process.history(tmp_path) for outcome in announced.delivery_outcomes
    }
    assert states == {State.DELIVERED}
    other_kinds = {event.kind for event in consumers.recorded() if event.version is None}
    assert other_kinds <= {Kind.CLOCK_SKEW, Kind.RECOVERED, *ABOUT_RECEIVERS}


@pytest.mark.parametrize(
    "step", [pytest.param(step, marks=() if step == STEPS[-1] else pytest.mark.torture) for step in STEPS]
)
def test_r16_after_a_step_the_newest_backup_is_current_and_no_extra_backups_are_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: timedelta
) -> None:
    monkeypatch.setattr(backup_folder, "EVERY", timedelta(hours=3))

    async def main(clock: VirtualClock) -> VirtualConsumers:
        consumers = VirtualConsumers(tmp_path, clock, {"hook": Consumer(clock)}, interval_seconds=300)
        consumers.set_status("v1", "waiting")
        async with consumers.running():
            await asyncio.sleep(HOUR)
            consumers.api.step_clock(step)
            await asyncio.sleep(12 * MINUTE)
            correct_clock(consumers)
            await asyncio.sleep(HOUR)
            consumers.set_status("v1", "learning")
            await asyncio.sleep(7 * HOUR)
        return consumers

    run(main)
    backups = backup_folder.BackupFolder(tmp_path / "watcher.db")
    newest = backups.newest_sound()
    assert newest is not None
    with closing(sqlite3.connect(newest[1])) as backup:
        assert backup.execute("SELECT count(*) FROM event WHERE subject LIKE 'training:%'").fetchone() == (1,)
    assert len(backups.backups()) <= 6
