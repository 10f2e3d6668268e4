"""The stages of the river, wired to each other and to the store."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from watcher.clock import Clock
from watcher.config import Config
from watcher.config.to_core import policy_of, polls_of, routes_of, thresholds_of
from watcher.core.delivery.model import PARKED_RETRY
from watcher.core.delivery.receiver import Receiver
from watcher.core.observer import Observer
from watcher.core.routing.routes import DIGEST_PATIENCE
from watcher.pipeline.clock_trust import ClockTrust
from watcher.pipeline.delivery.pace import ChannelPace
from watcher.pipeline.delivery.worker import DeliveryWorker, workers
from watcher.pipeline.maintenance import Limits, Maintenance
from watcher.pipeline.polling.poller import Poller
from watcher.pipeline.routing import Router
from watcher.pipeline.store_outage import DirectNotifier, StoreOutageHandler
from watcher.store.deliveries import Deliveries
from watcher.store.outbox import Outbox
from watcher.store.polls import PollStore
from watcher.store.retention import Retention
from watcher.store.sqlite.daily_backup import DailyBackup
from watcher.store.sqlite.database import Database
from watcher.store.sqlite.write_health import WriteHealth
from watcher.wiring.connections import Connections
from watcher.wiring.supervisor import Stage, Supervisor


class DeliveryWorkers:
    """A courier for each receiver; others take their place at a reload."""

    def __init__(
        self,
        deliveries: Deliveries,
        clock: Clock,
        clock_trust: ClockTrust,
        observer: Observer,
        *,
        on_events: Callable[[], None],
    ) -> None:
        self._on_events = on_events
        self._deliveries = deliveries
        self._observer = observer
        self._clock = clock
        self._clock_trust = clock_trust
        self._paces: dict[str, ChannelPace] = {}
        self._at_work: set[Stage] = set()
        self.by_receiver: Mapping[str, DeliveryWorker] = {}

    def take_on(self, config: Config, receivers: Mapping[str, Receiver]) -> None:
        """Make couriers for these receivers; the lanes keep their pace and pauses."""
        self.by_receiver = workers(
            receivers,
            self._deliveries,
            policy_of(config),
            self._clock,
            self._clock_trust,
            observer=self._observer,
            paces=self._paces,
            on_events=self._on_events,
        )

    def start(self, supervisor: Supervisor) -> None:
        """Let the present couriers work."""
        for worker in self.by_receiver.values():
            task = supervisor.start(worker.run())
            self._at_work.add(task)
            task.add_done_callback(self._at_work.discard)

    def dismiss(self, supervisor: Supervisor) -> frozenset[Stage]:
        """Let them claim no more; return those that have still to end their attempts."""
        for worker in self.by_receiver.values():
            worker.stop()
        supervisor.let_go(self._at_work)
        return frozenset(self._at_work)

    def wake(self) -> None:
        """Let all of them see what there is to do."""
        for worker in self.by_receiver.values():
            worker.wake.tick()


@dataclass(frozen=True, slots=True, kw_only=True)
class Pipeline:
    """The river and what is done beside it."""

    poller: Poller
    router: Router
    delivery_workers: DeliveryWorkers
    maintenance: Maintenance
    store_outage: StoreOutageHandler


def wire(connections: Connections, database: Database, clock: Clock, observer: Observer) -> Pipeline:
    """Make the stages; they share the store, the clock and one doubt about the wall clock."""
    config, receivers = connections.config, connections.receivers

    def wake_maintenance() -> None:
        maintenance.wake.tick()

    # The maintenance postpones work until the clock is trusted; it is done then, not an hour later.
    clock_trust = ClockTrust(on_trusted=wake_maintenance)

    def wake_router() -> None:
        router.wake.tick()

    delivery_workers = DeliveryWorkers(Deliveries(database), clock, clock_trust, observer, on_events=wake_router)
    delivery_workers.take_on(config, receivers)
    outbox = Outbox(database)
    router = Router(outbox, routes_of(config), receivers, clock, delivery_workers.wake, observer=observer)
    poller = Poller(
        polls_of(config),
        connections.apis,
        PollStore(database),
        clock,
        thresholds=thresholds_of(config),
        clock_trust=clock_trust,
        on_events=router.wake.tick,
        on_caught_up=router.release,
        observer=observer,
    )
    maintenance = Maintenance(
        Retention(database),
        Deliveries(database),
        DailyBackup(database),
        limits_of(connections),
        clock,
        clock_trust=clock_trust,
        on_events=router.wake.tick,
    )
    store_outage = StoreOutageHandler(
        WriteHealth(database),
        poller.cache,
        outbox,
        poller,
        clock,
        notifier=DirectNotifier(connections.receivers, routes_of(config)),
        on_events=router.wake.tick,
        observer=observer,
    )
    return Pipeline(
        poller=poller,
        router=router,
        delivery_workers=delivery_workers,
        maintenance=maintenance,
        store_outage=store_outage,
    )


def limits_of(connections: Connections) -> Limits:
    """Return how long what is kept."""
    config = connections.config
    return Limits(
        keep_history=config.state.keep_history,
        longest_wait=max(config.delivery.max_retry, PARKED_RETRY, DIGEST_PATIENCE),
        give_up_after=config.delivery.give_up_after,
        receivers=frozenset(connections.receivers),
    )
