"""Trainings that keep changing, for fault tests."""

from __future__ import annotations

import asyncio
import random
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Final

from tests.support import daemon_in_process
from tests.support.recording_simulator import RecordingSimulator
from watcher.core.delivery.state import OPEN_STATES
from watcher.store.url import sqlite_url
from watcher.store.views import open_views

SERVICES: Final = ("6wxgu1abcde", "49qk0abcdef")
STATUS_SEQUENCES: Final = (
    ("requesting", "waiting", "learning", "completed"),
    ("requesting", "requestFailed"),
    ("waiting", "refinedFailed", "requesting", "learning", "learningFailed"),
    ("ready", "requesting", "stopping", "ready"),
    ("learning", "paused", "completed", "learning", "completed"),
)


async def keep_changing(api: RecordingSimulator, draw: random.Random) -> None:
    """Move trainings through their statuses, existing ones and sometimes a new one."""
    positions: dict[tuple[str, str], int] = {}
    for number in range(1_000_000):
        service = draw.choice(SERVICES)
        version = f"v{draw.randrange(4 + number // 60)}"
        statuses = STATUS_SEQUENCES[sum(map(ord, service + version)) % len(STATUS_SEQUENCES)]
        position = positions.get((service, version), -1) + 1
        positions[service, version] = position
        api.set_training(service, "pop", version, statuses[position % len(statuses)])
        await asyncio.sleep(draw.uniform(0.05, 0.4))


@asynccontextmanager
async def changes_under_way(api: RecordingSimulator, seed: int) -> AsyncIterator[None]:
    """Keep trainings changing while the block runs."""
    for service in SERVICES:
        api.set_training(service, "pop", "v0", "requesting")
    changing = asyncio.create_task(keep_changing(api, random.Random(seed)))  # noqa: S311 - test data
    try:
        yield
    finally:
        changing.cancel()


async def wait_until_settled(folder: Path, api: RecordingSimulator) -> None:
    """Wait until the latest answers are recorded and every delivery has ended."""
    shown = len(api.shown)
    await daemon_in_process.eventually(lambda: len(api.shown) > shown + 50, 60)
    await daemon_in_process.eventually(lambda: all_delivered(folder), 90)


def all_delivered(folder: Path) -> bool:
    """Return whether every event is routed and no delivery is open."""
    with closing(sqlite3.connect(folder / "watcher.db")) as connection:
        if connection.execute("SELECT 1 FROM event WHERE routed_at IS NULL").fetchone():
            return False
    with open_views(sqlite_url(folder / "watcher.db")) as views:
        return not any(queue.state in OPEN_STATES for queue in views.queues())
