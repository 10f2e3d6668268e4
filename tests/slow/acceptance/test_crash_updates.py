"""The daemon is killed as it records the end of an update, or an overdue retraining: each is announced once."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import pytest

from tests.slow.acceptance.test_crash_points import CrashScenario
from tests.support import daemon_in_process
from tests.support.crash_points import Point
from tests.support.recording_simulator import RecordingSimulator
from tests.support.servers import Inbox, listening
from watcher.core.timestamps import to_text
from watcher.simulator import CallKind, ServiceType, SimulatedService, World, serve

SERVICE: Final = "6wxgu1abcde"
ANSWERS: Final = 25
"""Lists of trainings in which several lists of updates are asked for."""
KEY: Final = (SERVICE, "pop", "v0")


@asynccontextmanager
async def interval_service(folder: Path) -> AsyncIterator[CrashScenario]:
    api = RecordingSimulator(
        World((SimulatedService(id=SERVICE, name="shop", type=ServiceType.INTERVAL, interval="hour1"),))
    )
    api.set_training(*KEY, "completed")
    api.set_update(*KEY, "u0", "completed")
    async with serve(api) as simulator, listening(Inbox()) as hook:
        text = daemon_in_process.settings(simulator.base_url, [SERVICE], {"hook": hook.url})
        (folder / "config.toml").write_text(text.replace("200ms", "100ms"))
        yield CrashScenario(folder, api, {"hook": hook})


async def after_a_list_of_updates(api: RecordingSimulator, act: Callable[[], object]) -> None:
    """Act once two more lists of updates were asked for: the first of them is recorded then."""
    await api.requests.wait_for(api.requests.count(CallKind.UPDATES) + 2, CallKind.UPDATES)
    act()


def announced(place: CrashScenario) -> list[tuple[object, object]]:
    """Return the kind of each event that arrived, and its number, once."""
    return sorted({(event["kind"], event["seq"]) for event in place.hooks["hook"].events()}, key=str)


def make_overdue(folder: Path) -> None:
    """Set the cycle of the service back by three hours."""
    past = to_text(datetime.now(UTC) - timedelta(hours=3))
    cycle = {"period_seconds": 3600, "since": past, "last_update": [past, past]}
    with closing(sqlite3.connect(folder / "watcher.db")) as connection, connection:
        changed = connection.execute("UPDATE retraining SET cycle = ?", (json.dumps(cycle),))
        assert changed.rowcount == 1


@pytest.mark.parametrize("side", [pytest.param("before", marks=pytest.mark.torture), "within", "after"])
async def test_r1_a_kill_announces_each_update_and_each_absence_once(side: str, tmp_path: Path) -> None:
    async with interval_service(tmp_path) as place:
        shown = asyncio.create_task(
            after_a_list_of_updates(place.api, lambda: place.api.set_update(*KEY, "u1", "learningFailed"))
        )
        await place.die_at(Point("update", side))
        await shown
        place.api.set_update(*KEY, "u2", "completed")
        await place.run_to_the_end(ANSWERS)
        assert announced(place) == [("update-failed", 1), ("update-succeeded", 2)]
        make_overdue(tmp_path)
        await place.die_at(Point("overdue", side))
        await place.run_to_the_end(ANSWERS)
        assert announced(place) == [("overdue", 1), ("update-failed", 1), ("update-succeeded", 2)]
    assert place.broken_invariants() == []
