"""Trainings that never come to rest: what fault tests watch."""

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
from watcher.core.delivery.model import OPEN_STATES
from watcher.store.url import sqlite_url
from watcher.store.views import open_views

SERVICES: Final = ("6wxgu1abcde", "49qk0abcdef")
LIVES: Final = (
    ("requesting", "waiting", "learning", "completed"),
    ("requesting", "requestFailed"),
    ("waiting", "refinedFailed", "requesting", "learning", "learningFailed"),
    ("ready", "requesting", "stopping", "ready"),
    ("learning", "paused", "completed", "learning", "completed"),
)


async def keep_changing(api: RecordingSimulator, draw: random.Random) -> None:
    """Let trainings go through their lives, some old and now and then a new one."""
    places: dict[tuple[str, str], int] = {}
    for turn in range(1_000_000):
        service = draw.choice(SERVICES)
        version = f"v{draw.randrange(4 + turn // 60)}"
        life = LIVES[sum(map(ord, service + version)) % len(LIVES)]
        place = places.get((service, version), -1) + 1
        places[service, version] = place
        api.set_training(service, "pop", version, life[place % len(life)])
        await asyncio.sleep(draw.uniform(0.05, 0.4))


@asynccontextmanager
async def changes_under_way(api: RecordingSimulator, seed: int) -> AsyncIterator[None]:
    """Let trainings change as long as the block runs."""
    for service in SERVICES:
        api.set_training(service, "pop", "v0", "requesting")
    changing = asyncio.create_task(keep_changing(api, random.Random(seed)))  # noqa: S311 - what changes
    try:
        yield
    finally:
        changing.cancel()


async def quiet(folder: Path, api: RecordingSimulator) -> None:
    """Wait until what was shown last was seen, and everything is told."""
    shown = len(api.shown)
    await daemon_in_process.eventually(lambda: len(api.shown) > shown + 50, 60)
    await daemon_in_process.eventually(lambda: all_delivered(folder), 90)


def all_delivered(folder: Path) -> bool:
    """Say whether nothing waits for its route or its delivery any more."""
    with closing(sqlite3.connect(folder / "watcher.db")) as connection:
        if connection.execute("SELECT 1 FROM event WHERE routed_at IS NULL").fetchone():
            return False
    with open_views(sqlite_url(folder / "watcher.db")) as views:
        return not any(queue.state in OPEN_STATES for queue in views.queues())
