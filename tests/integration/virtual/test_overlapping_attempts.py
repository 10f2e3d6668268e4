"""Attempts at one receiver overlap: the next are leased while others run, within the limits of the receiver."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Final

import pytest

from tests.support.clocks import trusted_clock
from tests.support.virtual import FakeReceiver, VirtualClock, run
from tests.support.virtual_delivery import VirtualDeliveries, running_deliveries
from watcher.core.delivery.model import (
    Dedup,
    Delivered,
    DeliveryRequest,
    Outcome,
    Policy,
    Refused,
    TryLater,
)
from watcher.core.delivery.reason import text_reason
from watcher.core.delivery.receiver import CONNECTIONS
from watcher.pipeline.delivery.worker import FAST_SECONDS, PARALLEL, PARALLEL_FAST, workers
from watcher.store.deliveries import Deliveries

HANG_SECONDS: Final = 30.0
SOON: Final = 2.5
POLICY: Final = Policy(first_retry=timedelta(seconds=2))


@dataclass
class SlowReceiver(FakeReceiver):
    """A receiver whose attempts take time; counts those that run at once."""

    seconds: Callable[[DeliveryRequest], float] = lambda _: 0.1
    running: int = 0
    most: int = 0
    started: list[str] = field(default_factory=list)

    async def send(self, delivery_request: DeliveryRequest) -> Outcome:
        self.running += 1
        self.most = max(self.most, self.running)
        self.started.append(f"{delivery_request.events[0].version}:{delivery_request.events[0].seq}")
        await asyncio.sleep(self.seconds(delivery_request))
        self.running -= 1
        return await super().send(delivery_request)


def hangs(*versions: str) -> Callable[[DeliveryRequest], float]:
    return lambda request: HANG_SECONDS if request.events[0].version in versions else 0.01


def names(count: int, prefix: str = "v") -> list[str]:
    return [f"{prefix}{number}" for number in range(count)]


async def deliver(
    receiver: FakeReceiver, deliveries_run: VirtualDeliveries, versions: list[str], within: float
) -> set[str]:
    """Record an event of each training; return those that arrived in time."""
    await deliveries_run.record(versions)
    await asyncio.sleep(within)
    return {str(event.version) for event in receiver.events}


def test_attempts_that_hang_hold_up_no_others(tmp_path: Path) -> None:
    async def main(clock: VirtualClock) -> None:
        hook = SlowReceiver(seconds=hangs("v0", "v1", "v2"))
        async with running_deliveries(tmp_path, clock, [hook]) as deliveries_run:
            assert await deliver(hook, deliveries_run, names(40), SOON) == set(names(40)) - {"v0", "v1", "v2"}
            await asyncio.sleep(HANG_SECONDS)
            assert deliveries_run.broken_invariants() == []
        assert len(hook.events) == 40

    run(main)


def test_an_event_that_is_recorded_beside_a_hanging_attempt_is_sent_at_once(tmp_path: Path) -> None:
    async def main(clock: VirtualClock) -> None:
        hook = SlowReceiver(seconds=hangs("v0"))
        async with running_deliveries(tmp_path, clock, [hook]) as deliveries_run:
            assert await deliver(hook, deliveries_run, ["v0"], 5.0) == set()
            assert await deliver(hook, deliveries_run, ["later"], SOON) == {"later"}

    run(main)


def test_a_retry_beside_a_hanging_attempt_is_made_in_time(tmp_path: Path) -> None:
    async def main(clock: VirtualClock) -> None:
        failed: list[str] = []

        def first_fails(request: DeliveryRequest) -> Outcome:
            if request.events[0].version == "again" and not failed:
                failed.append("again")
                return TryLater(reason=text_reason("http 503"))
            return Delivered()

        hook = SlowReceiver(seconds=hangs("v0"), outcome=first_fails)
        async with running_deliveries(tmp_path, clock, [hook], policy=POLICY) as deliveries_run:
            assert await deliver(hook, deliveries_run, ["v0", "again"], 2.0 + 2 * SOON) == {"again"}

    run(main)


def test_a_later_change_of_a_training_waits_for_the_attempt_of_the_earlier_one(tmp_path: Path) -> None:
    async def main(clock: VirtualClock) -> None:
        hook = SlowReceiver(seconds=lambda request: 5.0 if request.events[0].seq == 1 else 0.01)
        async with running_deliveries(tmp_path, clock, [hook]) as deliveries_run:
            await deliveries_run.record(["v0", "v1"])
            await deliveries_run.record(["v0", "v1"])
            await asyncio.sleep(4.0)
            assert hook.started == ["v0:1", "v1:1"]
            await asyncio.sleep(SOON)
            assert sorted(hook.started[2:]) == ["v0:2", "v1:2"]
            assert deliveries_run.broken_invariants() == []

    run(main)


@pytest.mark.parametrize(
    ("changes", "most"),
    [
        ({}, CONNECTIONS),
        ({"seconds": lambda _: 0.5}, PARALLEL),
        ({"dedup": Dedup.UNKNOWN}, PARALLEL),
        ({"pace_seconds": 0.05}, 1),
        ({"batch_max": 40}, 1),
    ],
    ids=["fast", "slow", "a repeat is not recognised", "paced", "messages of several events"],
)
def test_no_more_attempts_run_at_a_time_than_the_receiver_takes(
    tmp_path: Path, changes: dict[str, object], most: int
) -> None:
    async def main(clock: VirtualClock) -> None:
        hook = SlowReceiver(**changes)  # type: ignore[arg-type]  # its fields
        async with running_deliveries(tmp_path, clock, [hook]) as deliveries_run:
            await deliver(hook, deliveries_run, names(3 * PARALLEL_FAST), 60.0)
            assert hook.most == most
            assert deliveries_run.broken_invariants() == []
        assert len(hook.events) == 3 * PARALLEL_FAST

    run(main)


@dataclass
class PooledReceiver(SlowReceiver):
    """A receiver that answers fast, with as many connections as the HTTP client has for it."""

    connections: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(CONNECTIONS))

    async def send(self, delivery_request: DeliveryRequest) -> Outcome:
        async with self.connections:
            return await super().send(delivery_request)


def test_a_wait_for_a_connection_does_not_make_a_receiver_seem_slow(tmp_path: Path) -> None:
    async def main(clock: VirtualClock) -> None:
        seconds = 0.95 * FAST_SECONDS
        hook = PooledReceiver(seconds=lambda _: seconds)
        async with running_deliveries(tmp_path, clock, [hook]) as deliveries_run:
            # The worker learns that it answers fast.
            await deliver(hook, deliveries_run, names(60), 30.0)
            versions = names(4 * PARALLEL_FAST, "w")
            needed = seconds * len(versions) / CONNECTIONS
            assert await deliver(hook, deliveries_run, versions, 1.1 * needed) >= set(versions)

    run(main)


def test_only_the_oldest_delivery_of_a_parked_receiver_is_tried(tmp_path: Path) -> None:
    async def main(clock: VirtualClock) -> None:
        hook = SlowReceiver(outcome=lambda _: Refused(reason=text_reason("http 410")))
        async with running_deliveries(tmp_path, clock, [hook]) as deliveries_run:
            await deliver(hook, deliveries_run, ["v0"], SOON)
            await deliver(hook, deliveries_run, names(20, "w"), 2 * 3600 + 60)
            assert set(hook.started) == {"v0:1"}
            assert 2 <= len(hook.started) <= 4

    run(main)


def test_a_sweep_sends_everything_that_is_due_also_what_an_attempt_makes_due(tmp_path: Path) -> None:
    async def main(clock: VirtualClock) -> None:
        hook = SlowReceiver(seconds=lambda request: 3.0 if request.events[0].version == "v0" else 0.01)
        async with running_deliveries(tmp_path, clock, [hook]) as deliveries_run:
            deliveries_run.workers["hook"].stop()
            await asyncio.sleep(1.0)
            await deliveries_run.record(["v0", "v1"])
            await deliveries_run.record(["v0", "v1"])
            await asyncio.sleep(1.0)
            assert hook.started == []
            store = Deliveries(deliveries_run.database)
            await workers({"hook": hook}, store, POLICY, clock, trusted_clock(clock))["hook"].sweep()
            assert sorted(hook.started) == ["v0:1", "v0:2", "v1:1", "v1:2"]

    run(main)


@pytest.mark.parametrize("seconds", [0.3, 0.6, 5.0, 25.0])
@pytest.mark.parametrize("running", [1, PARALLEL, 40])
def test_a_stop_ends_with_the_running_attempts(seconds: float, running: int, tmp_path: Path) -> None:
    async def main(clock: VirtualClock) -> None:
        hook = SlowReceiver(seconds=lambda _: seconds)
        async with running_deliveries(tmp_path, clock, [hook]) as deliveries_run:
            deliveries_run.workers["hook"].stop()
            worker = workers({"hook": hook}, Deliveries(deliveries_run.database), POLICY, clock, trusted_clock(clock))
            task = asyncio.create_task(worker["hook"].run())
            await deliver(hook, deliveries_run, names(running), 0.01)
            worker["hook"].wake.tick()
            await asyncio.sleep(0.2)
            assert hook.running > 0
            worker["hook"].stop()
            await asyncio.wait_for(task, seconds)

    run(main)
