"""The stages of the river, wired to each other and to the store."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from watcher.clock import Clock
from watcher.config import Config
from watcher.config.to_core import looks_of, policy_of, routes_of, thresholds_of
from watcher.core.delivery.model import PARKED_RETRY
from watcher.core.routing.routes import DIGEST_PATIENCE
from watcher.pipeline.clock_trust import ClockDoubt
from watcher.pipeline.delivery.pace import Lane
from watcher.pipeline.delivery.worker import Courier, couriers
from watcher.pipeline.maintenance import Limits, Upkeep
from watcher.pipeline.polling.poller import Poller
from watcher.pipeline.ports import Observer, Receiver
from watcher.pipeline.routing import Router
from watcher.pipeline.store_outage import Herald, Storekeeper
from watcher.store.deliveries import Deliveries
from watcher.store.outbox import Outbox
from watcher.store.polls import Polls
from watcher.store.retention import Retention
from watcher.store.sqlite.daily_backup import Backups
from watcher.store.sqlite.database import Database
from watcher.store.sqlite.write_health import Room
from watcher.wiring.connections import Parts
from watcher.wiring.supervisor import Crew, Stage


class Carriers:
    """A courier for each receiver; others take their place at a reload."""

    def __init__(
        self,
        deliveries: Deliveries,
        clock: Clock,
        doubt: ClockDoubt,
        observer: Observer,
        *,
        on_events: Callable[[], None],
    ) -> None:
        self._on_events = on_events
        self._deliveries = deliveries
        self._observer = observer
        self._clock = clock
        self._doubt = doubt
        self._lanes: dict[str, Lane] = {}
        self._at_work: set[Stage] = set()
        self.by_receiver: Mapping[str, Courier] = {}

    def take_on(self, config: Config, receivers: Mapping[str, Receiver]) -> None:
        """Make couriers for these receivers; the lanes keep their pace and pauses."""
        self.by_receiver = couriers(
            receivers,
            self._deliveries,
            policy_of(config),
            self._clock,
            self._doubt,
            observer=self._observer,
            lanes=self._lanes,
            on_events=self._on_events,
        )

    def start(self, crew: Crew) -> None:
        """Let the present couriers work."""
        for courier in self.by_receiver.values():
            task = crew.start(courier.run())
            self._at_work.add(task)
            task.add_done_callback(self._at_work.discard)

    def dismiss(self, crew: Crew) -> frozenset[Stage]:
        """Let them claim no more; return those that have still to end their attempts."""
        for courier in self.by_receiver.values():
            courier.stop()
        crew.let_go(self._at_work)
        return frozenset(self._at_work)

    def wake(self) -> None:
        """Let all of them see what there is to do."""
        for courier in self.by_receiver.values():
            courier.wake.ring()


@dataclass(frozen=True, slots=True, kw_only=True)
class Stages:
    """The river and what is done beside it."""

    poller: Poller
    router: Router
    carriers: Carriers
    upkeep: Upkeep
    storekeeper: Storekeeper


def wire(parts: Parts, database: Database, clock: Clock, observer: Observer) -> Stages:
    """Make the stages; they share the store, the clock and one doubt about the wall clock."""
    config, receivers = parts.config, parts.receivers
    doubt = ClockDoubt()

    def wake_router() -> None:
        router.wake.ring()

    carriers = Carriers(Deliveries(database), clock, doubt, observer, on_events=wake_router)
    carriers.take_on(config, receivers)
    router = Router(Outbox(database), routes_of(config), receivers, clock, carriers.wake, observer=observer)
    poller = Poller(
        looks_of(config),
        parts.apis,
        Polls(database),
        clock,
        thresholds=thresholds_of(config),
        doubt=doubt,
        on_events=router.wake.ring,
        on_caught_up=router.let_go,
        observer=observer,
    )
    upkeep = Upkeep(
        Retention(database),
        Deliveries(database),
        Backups(database),
        limits_of(parts),
        clock,
        doubt=doubt,
        on_events=router.wake.ring,
    )
    storekeeper = Storekeeper(
        Room(database),
        poller.memory,
        poller,
        clock,
        herald=Herald(parts.receivers, routes_of(config)),
        on_events=router.wake.ring,
        observer=observer,
    )
    return Stages(poller=poller, router=router, carriers=carriers, upkeep=upkeep, storekeeper=storekeeper)


def limits_of(parts: Parts) -> Limits:
    """Return how long what is kept."""
    config = parts.config
    return Limits(
        keep_history=config.state.keep_history,
        longest_wait=max(config.delivery.max_retry, PARKED_RETRY, DIGEST_PATIENCE),
        give_up_after=config.delivery.give_up_after,
        receivers=frozenset(parts.receivers),
    )
