"""Routing and delivery on virtual time, without polling: a test records the events, the real stages send them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType

from tests.support import daemon_in_process
from tests.support.clocks import trusted_clock
from tests.support.invariants import violations
from tests.support.slack_messages import Channel, as_received
from tests.support.virtual import FakeReceiver, VirtualClock
from watcher.core.batch import Batch
from watcher.core.delivery.model import Delivered, DeliveryRequest, Outcome, Policy, Refused, TryLater
from watcher.core.delivery.reason import text_reason
from watcher.core.delivery.receiver import Receiver
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
    """The stages under test, with their store, clock and receivers."""

    database: Database
    clock: VirtualClock
    router: Router
    workers: Mapping[str, DeliveryWorker]
    receivers: Sequence[Receiver] = ()
    numbers: dict[str, int] = field(default_factory=dict)
    slacks: Mapping[str, Channel] = field(default_factory=dict)
    """The channels of bots, by their receiver."""

    async def record(self, versions: Iterable[str], kind: Kind = Kind.PROGRESS) -> list[Event]:
        """Record an event for each of these trainings, as polling does."""
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
        """Return every event with its deliveries, oldest first."""
        with open_views(self.database.url) as views:
            return views.history(HistoryFilter(limit=100_000))

    def broken_invariants(self) -> list[str]:
        """Compare the records with the arrivals; return every broken promise."""
        received = {item.name: item.received for item in self.receivers if isinstance(item, FakeReceiver)}
        received |= {name: as_received(slack, name, self.announced()) for name, slack in self.slacks.items()}
        evidence = daemon_in_process.evidence(self.database.path.parent, [], [], received)
        # Nothing was polled, and events about receivers do not follow the routes alone.
        return violations(replace(evidence, answers_comparable=False, routed=None))


@asynccontextmanager
async def running_deliveries(  # noqa: PLR0913 - the options of a test
    folder: Path,
    clock: VirtualClock,
    receivers: Sequence[Receiver],
    *,
    to: Sequence[str] = (),
    policy: Policy | None = None,
    fallbacks: Mapping[str, str] | None = None,
    mentions: tuple[str, ...] = (),
    flap_limit: int = 100_000,
    slacks: Mapping[str, Channel] = MappingProxyType({}),
) -> AsyncIterator[VirtualDeliveries]:
    """Run routing and delivery on a real store while the block runs.

    Args:
        folder: the folder of the store; a second use of the same folder is a restart.
        clock: the clock of the loop.
        receivers: the receivers, in the order of the configuration.
        to: the receivers in the only route; by default all.
        policy: the policy of the deliveries.
        fallbacks: the fallback of each receiver that has one.
        mentions: the mentions of the route.
        flap_limit: the events of a training in an hour before they come in digests.
        slacks: the channels of bots, by their receiver, for the invariant checker.
    """
    database = open_database(folder / "watcher.db", purpose="test", now=clock.utc_now())
    by_name = {receiver.name: receiver for receiver in receivers}
    everything = Matcher(kinds=frozenset({ALL_KINDS}))
    routes = Routes(
        routes=(Route(number=1, match=everything, to=tuple(to or by_name), mentions=mentions),),
        flap_limit=flap_limit,
        fallbacks=fallbacks or {},
    )

    def wake_router() -> None:
        router.wake.tick()

    def wake_workers() -> None:
        for worker in delivery_workers.values():
            worker.wake.tick()

    delivery_workers = workers(
        by_name, Deliveries(database), policy or Policy(), clock, trusted_clock(clock), on_events=wake_router
    )
    router = Router(Outbox(database), routes, by_name, clock, wake_workers)
    await Deliveries(database).reclaim(by_name, clock.utc_now())
    stages = [router.run(), *(worker.run() for worker in delivery_workers.values())]
    tasks = [asyncio.create_task(stage) for stage in stages]
    try:
        yield VirtualDeliveries(database, clock, router, delivery_workers, receivers, slacks=slacks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        database.close()


def unavailable(until_seconds: float, clock: VirtualClock) -> Callable[[DeliveryRequest], Outcome]:
    """Return outcomes of a receiver that answers 503 until this virtual time."""

    def outcome(_: DeliveryRequest) -> Outcome:
        return TryLater(reason=text_reason("http 503")) if clock.monotonic() < until_seconds else Delivered()

    return outcome


def refusing(reason: str) -> Callable[[DeliveryRequest], Outcome]:
    """Return outcomes of a receiver that fails permanently."""

    def outcome(_: DeliveryRequest) -> Outcome:
        return Refused(reason=text_reason(reason), answer=f"404 {reason}")

    return outcome
