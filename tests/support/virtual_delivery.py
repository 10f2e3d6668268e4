"""Routing and delivering on virtual time, without looking: what is recorded by hand goes through the real stages."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

from tests.support import daemon_in_process
from tests.support.clocks import believed
from tests.support.invariants import violations
from tests.support.virtual import Ear, VirtualClock
from watcher.core.batch import Batch
from watcher.core.delivery.model import Delivered, DeliveryRequest, Outcome, Policy, Refused, TryLater
from watcher.core.event import Event, Kind, event_id
from watcher.core.routing.matcher import ALL_KINDS, Matcher
from watcher.core.routing.routes import Route, Routes
from watcher.core.training.model import TrainingRef
from watcher.pipeline.delivery.worker import DeliveryWorker, workers
from watcher.pipeline.routing import Router
from watcher.store.deliveries import Deliveries
from watcher.store.outbox import Outbox
from watcher.store.polls import PollStore
from watcher.store.sqlite.database import Database, open_database
from watcher.store.views import EventHistory, HistoryFilter, open_views


@dataclass(slots=True)
class VirtualDeliveries:
    """The stages under test, and what they are given."""

    database: Database
    clock: VirtualClock
    router: Router
    workers: Mapping[str, DeliveryWorker]
    ears: Sequence[Ear] = ()
    numbers: dict[str, int] = field(default_factory=dict)

    async def record(self, versions: Iterable[str], kind: Kind = Kind.PROGRESS) -> list[Event]:
        """Record an event of each of these trainings, as looking would."""
        events = [self._event(version, kind) for version in versions]
        await PollStore(self.database).record(Batch(events=tuple(events)))
        self.router.wake.tick()
        return events

    def _event(self, version: str, kind: Kind) -> Event:
        ref, now = TrainingRef("main", "s", "pop", version), self.clock.utc_now()
        number = self.numbers[version] = self.numbers.get(version, 0) + 1
        return Event(
            id=event_id(self.database.epoch, ref.subject, number),
            kind=kind,
            subject=ref.subject,
            seq=number,
            reason="moved-forward",
            account=ref.account,
            service=ref.service,
            training_type=ref.type,
            version=ref.version,
            from_status=f"stage-{number - 1}",
            to_status=f"stage-{number}",
            after=now - timedelta(seconds=1),
            before=now,
            recorded_at=now,
        )

    def announced(self) -> list[EventHistory]:
        """Return every event with its deliveries, the oldest first."""
        with open_views(self.database.url) as views:
            return views.history(HistoryFilter(limit=100_000))

    def broken_invariants(self) -> list[str]:
        """Compare what was recorded with what arrived; return every broken promise."""
        received = {ear.name: ear.received for ear in self.ears}
        evidence = daemon_in_process.evidence(self.database.path.parent, [], [], received)
        # Nobody looked, and who is told of a receiver is not for its route alone to say.
        return violations(replace(evidence, witnessed=False, routed=None))


@asynccontextmanager
async def recipient_report(
    folder: Path, clock: VirtualClock, ears: Sequence[Ear], *, to: Sequence[str] = (), policy: Policy | None = None
) -> AsyncIterator[VirtualDeliveries]:
    """Run routing and delivering on a real store as long as the block runs.

    Args:
        folder: where the store is; a second use of the same folder is a restart.
        clock: the loop's.
        ears: the receivers, in the order of the configuration.
        to: to whom the only route leads; everybody where it is left out.
        policy: of the deliveries.
    """
    database = open_database(folder / "watcher.db", purpose="test", now=clock.utc_now())
    receivers = {ear.name: ear for ear in ears}
    everything = Matcher(kinds=frozenset({ALL_KINDS}))
    routes = Routes(
        routes=(Route(number=1, match=everything, to=tuple(to or receivers)),),
        flap_limit=100_000,
    )

    def wake_router() -> None:
        router.wake.tick()

    def wake_workers() -> None:
        for worker in delivery_workers.values():
            worker.wake.tick()

    delivery_workers = workers(
        receivers, Deliveries(database), policy or Policy(), clock, believed(), on_events=wake_router
    )
    router = Router(Outbox(database), routes, receivers, clock, wake_workers)
    await Deliveries(database).reclaim(receivers, clock.utc_now())
    stages = [router.run(), *(worker.run() for worker in delivery_workers.values())]
    tasks = [asyncio.create_task(stage) for stage in stages]
    try:
        yield VirtualDeliveries(database, clock, router, delivery_workers, ears)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        database.close()


def away(until_seconds: float, clock: VirtualClock) -> Callable[[DeliveryRequest], Outcome]:
    """Return what answers 503 until so many virtual seconds have passed."""

    def outcome(_: DeliveryRequest) -> Outcome:
        return TryLater(reason="http 503") if clock.monotonic() < until_seconds else Delivered()

    return outcome


def refuses(reason: str) -> Callable[[DeliveryRequest], Outcome]:
    """Return what refuses everything for good."""

    def outcome(_: DeliveryRequest) -> Outcome:
        return Refused(reason=reason, answer=f"404 {reason}")

    return outcome
