"""Trainings that never come to rest: what fault tests watch."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path
from typing import Final

from tests.support.witness import Witness
from watcher.core.delivery import OPEN_STATES
from watcher.store.views import open_views

SERVICES: Final = ("6wxgu1abcde", "49qk0abcdef")
LIVES: Final = (
    ("requesting", "waiting", "learning", "completed"),
    ("requesting", "requestFailed"),
    ("waiting", "refinedFailed", "requesting", "learning", "learningFailed"),
    ("ready", "requesting", "stopping", "ready"),
    ("learning", "paused", "completed", "learning", "completed"),
)


async def keep_changing(api: Witness, draw: random.Random) -> None:
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


def everything_is_told(folder: Path) -> bool:
    """Say whether nothing waits for its delivery any more."""
    with open_views(folder / "watcher.db") as views:
        return not any(queue.state in OPEN_STATES for queue in views.queues())
