"""An idle daemon wakes when something is due; the number of its wake-ups and transactions is counted, no time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from unittest import mock

import pytest

from tests.support.virtual import VirtualClock, VirtualLoop, run
from tests.support.virtual_consumers import Consumer, VirtualConsumers
from watcher.http import HttpResult, HttpSettings
from watcher.store.sqlite.database import Database

SERVICES: Final = ("s1", "s2", "s3")
MINUTES: Final = 3
SWEEP_SECONDS: Final = 10.0
"""As in production."""


@dataclass(slots=True)
class Wakeups:
    """The timers that ended a wait of the loop, and the transactions."""

    timers: int = 0
    transactions: int = 0


@contextmanager
def counted() -> Iterator[Wakeups]:
    """Count within the block."""
    loop, found = asyncio.get_running_loop(), Wakeups()
    assert isinstance(loop, VirtualLoop)
    select, write = loop.jumping.select, Database.write

    def count(timeout: float | None = None) -> Any:
        ready = select(timeout)
        found.timers += not ready and bool(timeout)
        return ready

    async def count_write(database: Database, work: Callable[[Any], Any]) -> Any:
        found.transactions += 1
        return await write(database, work)

    with mock.patch.object(loop.jumping, "select", count), mock.patch.object(Database, "write", count_write):
        yield found


def refusing_for_long(consumer: Consumer, _settings: HttpSettings) -> HttpResult:
    return consumer.respond(503, headers={"retry-after": "900"})


def working(consumer: Consumer, _settings: HttpSettings) -> HttpResult:
    return consumer.respond(200)


CASES: Final[Mapping[str, tuple[int, Any, int, int]]] = {
    "nothing waits": (1, working, 55, 6),
    "nothing waits for three receivers": (3, working, 60, 10),
    "a delivery waits for its next attempt": (1, refusing_for_long, 75, 20),
}
"""The number of receivers, their behaviour, and the most timers and transactions of a minute."""


@pytest.mark.parametrize("case", CASES)
def test_an_idle_daemon_hardly_wakes(tmp_path: Path, case: str) -> None:
    count, behaviour, most_timers, most_transactions = CASES[case]

    async def main(clock: VirtualClock) -> Wakeups:
        hooks = {f"hook{number}": Consumer(clock, behaviour=behaviour) for number in range(count)}
        consumers = VirtualConsumers(tmp_path, clock, hooks, services=SERVICES, interval_seconds=300)
        for service in SERVICES:
            consumers.set_status("v1", "learning", service)
        async with consumers.running():
            await asyncio.sleep(100)
            consumers.set_status("v1", "completed")
            await asyncio.sleep(300)
            with counted() as wakeups:
                await asyncio.sleep(60 * MINUTES)
        return wakeups

    wakeups = run(main, sweep_seconds=SWEEP_SECONDS)
    assert wakeups.timers <= most_timers * MINUTES
    assert wakeups.transactions <= most_transactions * MINUTES
