"""P5 by stage: the CPU time of a change in each stage alone, without a network and without logs.

Run ``python -m bench.stages``. Everything in a sweep changed: that is recorded, then routed, then delivered to a
receiver that takes everything at once. Costs are CPU seconds of the process, so that two states of the code can be
compared on a busy machine: run them in turns, and take the lowest. ``py-spy record -- python -m bench.stages`` shows
where the time goes.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from bench.waiting import Counting, quiet_logs
from bench.world import World
from watcher.aitems import wire
from watcher.aitems.list_page import KnownList
from watcher.cli.runtime import run_async
from watcher.clock import Clock
from watcher.core.delivery.model import Policy
from watcher.core.event import Event
from watcher.core.incidents.model import Thresholds
from watcher.core.polling.plan import Poll
from watcher.core.polling.result import PollFailure, PollResult
from watcher.core.polling.schedule import Cadence
from watcher.core.routing.matcher import ALL_KINDS, Matcher
from watcher.core.routing.routes import Route, Routes
from watcher.core.training.model import ListedTraining, ServiceRef, TrainingRef
from watcher.pipeline.clock_trust import ClockTrust
from watcher.pipeline.delivery.worker import workers
from watcher.pipeline.polling.poller import Poller
from watcher.pipeline.routing import Router
from watcher.receivers.payload import sealed
from watcher.store.deliveries import Deliveries
from watcher.store.outbox import Outbox
from watcher.store.polls import PollStore
from watcher.store.sqlite.database import Database, open_database

PER_SERVICE: Final = 1000
INTERVAL: Final = timedelta(seconds=30)


class SteppingClock(Clock):
    """The machine's clocks, moved forward."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def utc_now(self) -> datetime:
        """Return the wall clock's time, moved."""
        return super().utc_now() + self.ahead

    def monotonic(self) -> float:
        """Return monotonic seconds, moved."""
        return super().monotonic() + self.ahead.total_seconds()


class ListApi:
    """AiTEMS without a network; its lists are parsed as the client does it."""

    def __init__(self, world: World, clock: Clock) -> None:
        self._world = world
        self._clock = clock
        self._known: dict[ServiceRef, KnownList[ListedTraining]] = {}

    async def list(self, service: ServiceRef) -> PollResult:
        """Return every training of a service."""
        asked_at = self._clock.utc_now()
        known = self._known.setdefault(service, KnownList())
        body = self._world.services[service.service].page(0)
        page = wire.read_trainings(body, service, known)
        assert not isinstance(page, wire.BadAnswer)  # noqa: S101 - for the types
        known.keep(page.items)
        digest = hashlib.sha256(body).digest()
        return PollResult(shown=page.items, asked_at=asked_at, answered_at=self._clock.utc_now(), digest=digest)

    async def view(self, ref: TrainingRef, *, first: bool = False) -> PollResult | PollFailure:
        """Refuse, since no training ends."""
        raise NotImplementedError

    async def services(self, *, first: bool = False) -> PollFailure:
        """Refuse, since every service is named."""
        raise NotImplementedError


class Sealing(Counting):
    """The receiver that takes every message, with the bodies of a webhook."""

    def seal(self, event: Event, receiver_seq: int) -> bytes:
        """Return the body."""
        return sealed([(event, receiver_seq)])


@dataclass(slots=True)
class Counter:
    """Counts calls, and lets one wait for a number of them."""

    calls: int = 0
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def call(self) -> None:
        """Count a call."""
        self.calls += 1
        self.changed.set()

    async def until(self, calls: int) -> None:
        """Wait for so many calls."""
        while self.calls < calls:
            self.changed.clear()
            await self.changed.wait()


def main() -> None:
    """Print the cost of a change by stage."""
    parser = argparse.ArgumentParser(prog="python -m bench.stages", description=__doc__)
    parser.add_argument("services", nargs="?", type=int, default=5, help=f"each has {PER_SERVICE:,} trainings")
    services: int = parser.parse_args().services
    quiet_logs()
    for stage, seconds in run_async(stage_seconds(services)).items():
        print(f"{stage:10} {1000 * seconds / (services * PER_SERVICE):.3f} CPU ms a change")  # noqa: T201 - the output


async def stage_seconds(services: int) -> dict[str, float]:
    """Return the CPU seconds of each stage."""
    clock = SteppingClock()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "watcher.db"
        with closing(open_database(path, purpose="bench", now=clock.utc_now())) as database:
            recorded = await _recorded(database, clock, World(services, PER_SERVICE))
            receiver = Sealing(services * PER_SERVICE)
            routed = await _cpu(_router(database, clock, receiver).drain)
            delivered = await _cpu(lambda: _deliver(database, clock, receiver))
    return {"recorded": recorded, "routed": routed, "delivered": delivered}


async def _recorded(database: Database, clock: SteppingClock, world: World) -> float:
    counter = Counter()
    poller = _poller(database, clock, world, counter)
    await poller.start()
    await poller.sweep()
    world.move_on(1.0)
    clock.ahead += 2 * INTERVAL

    async def sweep() -> None:
        poller.tick()
        await counter.until(len(world.services))

    seconds = await _cpu(sweep)
    await poller.stop(1.0)
    return seconds


def _poller(database: Database, clock: Clock, world: World, counter: Counter) -> Poller:
    cadence = Cadence(interval=INTERVAL, idle_interval=INTERVAL)
    return Poller(
        [Poll(service=ServiceRef("main", name), cadence=cadence) for name in world.services],
        {"main": ListApi(world, clock)},
        PollStore(database),
        clock,
        thresholds=Thresholds(),
        clock_trust=ClockTrust(clock),
        on_events=counter.call,
        on_caught_up=lambda _: None,
    )


def _router(database: Database, clock: Clock, receiver: Sealing) -> Router:
    every_kind = Route(number=1, match=Matcher(kinds=frozenset({ALL_KINDS})), to=(receiver.name,))
    return Router(Outbox(database), Routes(routes=(every_kind,)), {receiver.name: receiver}, clock, lambda: None)


async def _deliver(database: Database, clock: Clock, receiver: Sealing) -> None:
    made = workers({receiver.name: receiver}, Deliveries(database), Policy(), clock, ClockTrust(clock))
    receiver.worker = made[receiver.name]
    await receiver.worker.drain()


async def _cpu(work: Callable[[], Awaitable[object]]) -> float:
    before = time.process_time()
    await work()
    return time.process_time() - before


if __name__ == "__main__":
    main()
