"""The router seeks work when it is woken, soon after a fault, and rarely without a reason."""

from __future__ import annotations

import asyncio
from typing import Final

import pytest

from tests.support.virtual import VirtualClock, run
from watcher.core.observer import Observer
from watcher.core.routing.routes import Routes
from watcher.pipeline import routing
from watcher.pipeline.routing import Router

SWEEP: Final = routing.SWEEP_SECONDS
IDLE: Final = routing.IDLE_SECONDS


class Outbox:
    """Has no event; its first reads fail."""

    def __init__(self, clock: VirtualClock, failures: int) -> None:
        self.clock = clock
        self.failures = failures
        self.read_at: list[float] = []

    async def unrouted(self, _limit: int) -> list[object]:
        self.read_at.append(round(self.clock.monotonic(), 3))
        if len(self.read_at) <= self.failures:
            raise OSError("locked")
        return []


class DeadlineObserver(Observer):
    """Keeps the time by which the router must make progress."""

    def __init__(self, clock: VirtualClock) -> None:
        self.clock = clock
        self.due_by = 0.0

    def progressed(self, loop: str, within_seconds: float) -> None:
        assert loop == "routing"
        self.due_by = self.clock.monotonic() + within_seconds


@pytest.mark.parametrize(
    ("failures", "woken_at", "read_at"),
    [
        (0, None, [0, IDLE, 2 * IDLE]),
        (2, None, [0, SWEEP, 2 * SWEEP, 2 * SWEEP + IDLE]),
        (0, 33.0, [0, 33.0, 33.0 + IDLE]),
    ],
    ids=["without a reason", "after faults", "when it is woken"],
)
def test_events_are_sought(failures: int, woken_at: float | None, read_at: list[float]) -> None:
    async def main(clock: VirtualClock) -> list[float]:
        outbox = Outbox(clock, failures)
        router = Router(outbox, Routes(routes=()), {}, clock, lambda: None)  # type: ignore[arg-type]  # as far as it needs it
        if woken_at is not None:
            asyncio.get_running_loop().call_later(woken_at, router.wake.tick)
        task = asyncio.create_task(router.run())
        await asyncio.sleep(2 * IDLE + 5)
        task.cancel()
        return outbox.read_at

    assert run(main, sweep_seconds=SWEEP) == pytest.approx(read_at, abs=0.01)


def test_a_run_that_hangs_after_a_wake_up_is_late_as_soon_as_any_other() -> None:
    async def main(clock: VirtualClock) -> float:
        outbox, deadlines = Outbox(clock, 0), DeadlineObserver(clock)
        router = Router(outbox, Routes(routes=()), {}, clock, lambda: None, observer=deadlines)  # type: ignore[arg-type]  # as above
        task = asyncio.create_task(router.run())
        await asyncio.sleep(1)
        outbox.unrouted = lambda _limit: asyncio.sleep(3600)  # type: ignore[method-assign,assignment,return-value]  # hangs
        router.wake.tick()
        await asyncio.sleep(1)
        task.cancel()
        return deadlines.due_by

    assert run(main, sweep_seconds=SWEEP) <= 1 + SWEEP + 0.1
