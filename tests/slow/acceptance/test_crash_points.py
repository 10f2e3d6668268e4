"""The daemon is killed before, within and after each step: nothing is lost, and nothing is announced twice."""

from __future__ import annotations

import asyncio
import random
import signal
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Final

import pytest
from alembic import command

from tests.support import crash_points as dying
from tests.support import daemon_in_process
from tests.support.allowed_repeats import in_flight, needless_repeats
from tests.support.changing_trainings import SERVICES, all_delivered, keep_changing
from tests.support.crash_points import BETWEEN, HIT, SIDES, Point
from tests.support.fault_table import TALLY, remark, rounds
from tests.support.invariants import DaemonRun, violations
from tests.support.recording_simulator import RecordingSimulator
from tests.support.servers import Inbox, listening
from watcher.core.timestamps import to_text
from watcher.simulator import serve
from watcher.store.migrations import migrate
from watcher.store.sqlite.backup_folder import BackupFolder
from watcher.store.sqlite.connections import writer_engine

BOUND_SECONDS: Final = 60.0
RARE: Final = frozenset({"migrate", "retention", "copy", "publish", "update", "overdue"})
EVERY_POINT: Final = {
    *((step, side) for step in dying.STEPS for side in SIDES if step not in RARE),
    *((step, BETWEEN) for step in dying.STEPS if step not in {*RARE, "reclaim"}),
    ("send", "before"),
    ("send", "after"),
}
"""The points that every daemon reaches often; the rare ones have their own tests."""


class CrashScenario:
    """A folder with a configuration, an API with changing trainings, and two webhooks."""

    def __init__(self, folder: Path, api: RecordingSimulator, hooks: dict[str, Inbox]) -> None:
        self.folder = folder
        self.api = api
        self.hooks = hooks
        self.runs: list[DaemonRun] = []

    async def die_at(self, point: Point) -> None:
        """Run a daemon until it dies at the point."""
        started_at = datetime.now(UTC)
        process = dying.start(self.folder, daemon_in_process.ENVIRON, point)
        try:
            await daemon_in_process.eventually(lambda: process.exitcode is not None, BOUND_SECONDS)
        except TimeoutError:
            pytest.fail(f"{point} was never reached")
        finally:
            process.kill()
            died = datetime.now(UTC)
            await daemon_in_process.eventually(lambda: process.exitcode is not None, BOUND_SECONDS)
            self.runs.append(DaemonRun(started_at, died, in_flight(self.folder)))
        assert process.exitcode == -signal.SIGKILL, f"{point}: the daemon ended without a kill"
        assert (self.folder / HIT).read_text() == str(point)
        (self.folder / HIT).unlink()

    async def run_to_the_end(self, answers: int = 100) -> None:
        """Run a daemon for so many answers, and until every message is delivered; stop it with SIGTERM."""
        started_at = datetime.now(UTC)
        process = dying.start(self.folder, daemon_in_process.ENVIRON, None)
        shown = len(self.api.shown)
        await daemon_in_process.eventually(lambda: len(self.api.shown) > shown + answers, BOUND_SECONDS)
        await daemon_in_process.eventually(lambda: all_delivered(self.folder), BOUND_SECONDS)
        await self._stop(process)
        self.runs.append(DaemonRun(started_at, datetime.now(UTC)))

    async def _stop(self, process: ForkServerProcess) -> None:
        process.terminate()
        await daemon_in_process.eventually(lambda: process.exitcode is not None, BOUND_SECONDS)
        assert process.exitcode == 0

    def broken_invariants(self) -> list[str]:
        received = {name: hook.received for name, hook in self.hooks.items()}
        found = violations(daemon_in_process.evidence(self.folder, self.api.shown, self.runs, received))
        for items in received.values():
            found += [f"{identity} was repeated" for identity in needless_repeats(items, self.runs)]
        return found


@asynccontextmanager
async def crash_scenario(folder: Path) -> AsyncIterator[CrashScenario]:
    api = RecordingSimulator()
    for service in SERVICES:
        api.set_training(service, "pop", "v0", "requesting")
    async with serve(api) as simulator, listening(Inbox()) as hook, listening(Inbox()) as other:
        hooks = {"hook": hook, "other": other}
        text = daemon_in_process.settings(
            simulator.base_url, list(SERVICES), {name: hook.url for name, hook in hooks.items()}
        )
        (folder / "config.toml").write_text(text.replace("200ms", "100ms"))
        yield CrashScenario(folder, api, hooks)


async def test_r1_a_kill_at_any_step_loses_nothing_and_announces_nothing_under_two_ids(tmp_path: Path) -> None:
    draw = random.Random(20261125)  # noqa: S311 - the points of the kills
    points = [
        replace(point, occurrence=1 if point.step == "reclaim" else draw.randint(1, 3))
        for _ in range(10 if TALLY.full else 1)
        for point in dying.points()
    ]
    assert {(point.step, point.side) for point in points} >= EVERY_POINT
    rounds(few=len(points), full=len(points))
    async with crash_scenario(tmp_path) as place:
        changing = asyncio.create_task(keep_changing(place.api, draw))
        for point in points:
            await place.die_at(point)
        changing.cancel()
        await place.run_to_the_end()
    assert place.broken_invariants() == []
    remark(f"{len(points)} kills at {len(set(map(str, points)))} points")


@pytest.mark.parametrize("side", SIDES)
async def test_r25_a_kill_during_a_migration_leaves_the_old_store_or_the_new_one(side: str, tmp_path: Path) -> None:
    scheduler = writer_engine(tmp_path / "watcher.db")
    with scheduler.begin() as connection:
        config = migrate._config()
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
    scheduler.dispose()
    async with crash_scenario(tmp_path) as place:
        await place.die_at(Point("migrate", side))
        changing = asyncio.create_task(keep_changing(place.api, random.Random(25)))  # noqa: S311 - the changes
        await place.run_to_the_end()
        changing.cancel()
        await place.run_to_the_end()
    assert place.broken_invariants() == []


async def test_r1_a_kill_while_history_is_pruned_announces_nothing_again(tmp_path: Path) -> None:
    async with crash_scenario(tmp_path) as place:
        changing = asyncio.create_task(keep_changing(place.api, random.Random(22)))  # noqa: S311 - the changes
        await place.run_to_the_end()
        changing.cancel()
        await place.run_to_the_end()
        assert place.broken_invariants() == []
        before = {name: [item.webhook_id for item in hook.received] for name, hook in place.hooks.items()}
        for side in SIDES:
            _age_half(tmp_path)
            await place.die_at(Point("retention", side))
        await place.run_to_the_end()
        assert {name: [item.webhook_id for item in hook.received] for name, hook in place.hooks.items()} == before
    newest = {item.event.subject: item.event.seq for item in daemon_in_process.history(tmp_path)}
    with closing(sqlite3.connect(tmp_path / "watcher.db")) as connection:
        known = dict(connection.execute("SELECT subject, seq FROM training WHERE seq > 0").fetchall())
        orphans = connection.execute("SELECT count(*) FROM ledger WHERE event_id NOT IN (SELECT id FROM event)")
        assert orphans.fetchone() == (0,)
    assert newest == known, "the newest event of each training stays"


async def test_r1_a_kill_during_a_backup_leaves_no_incomplete_backup(tmp_path: Path) -> None:
    backup_folder = BackupFolder(tmp_path / "watcher.db")
    async with crash_scenario(tmp_path) as place:
        changing = asyncio.create_task(keep_changing(place.api, random.Random(7)))  # noqa: S311 - the changes
        for step in ("copy", "publish"):
            for side in ("before", "after"):
                await place.die_at(Point(step, side))
                names = [path for _, path in backup_folder.backups()]
                assert len(names) == ((step, side) == ("publish", "after"))
        changing.cancel()
        await place.run_to_the_end()
        ((_, name),) = backup_folder.backups()
        assert backup_folder.newest_sound() is not None
        assert list(backup_folder.folder.iterdir()) == [name], "incomplete files are removed"
    assert place.broken_invariants() == []


def _age_half(folder: Path) -> None:
    """Give every second event, and the oldest ones, an age beyond the retention."""
    long_ago = to_text(datetime.now(UTC) - timedelta(days=36_000))
    with closing(sqlite3.connect(folder / "watcher.db")) as connection, connection:
        connection.execute("UPDATE event SET recorded_at = ? WHERE position % 2 = 0", (long_ago,))
        oldest = connection.execute("SELECT min(position) FROM event").fetchone()[0]
        connection.execute("UPDATE event SET recorded_at = ? WHERE position <= ? + 2", (long_ago, oldest))
