"""The stages of the pipeline, connected to each other and to the store."""

from __future__ import annotations

from dataclasses import dataclass

from watcher.clock import Clock
from watcher.config.to_core import polls_of, routes_of, thresholds_of
from watcher.core.delivery.model import PARKED_RETRY
from watcher.core.observer import Observer
from watcher.core.routing.routes import DIGEST_PATIENCE
from watcher.pipeline.clock_trust import ClockTrust
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
from watcher.wiring.delivery_workers import DeliveryWorkers


@dataclass(frozen=True, slots=True, kw_only=True)
class Pipeline:
    """The stages, and the maintenance beside them."""

    poller: Poller
    router: Router
    delivery_workers: DeliveryWorkers
    maintenance: Maintenance
    store_outage: StoreOutageHandler


def wire(connections: Connections, database: Database, clock: Clock, observer: Observer) -> Pipeline:
    """Make the stages of a configuration; they share the store, the clock and one ``ClockTrust``."""
    config, receivers = connections.config, connections.receivers

    def wake_maintenance() -> None:
        maintenance.wake.tick()

    # The maintenance postpones work until the clock is trusted; it is done then, not an hour later.
    clock_trust = ClockTrust(clock, on_trusted=wake_maintenance)

    def wake_router() -> None:
        # The workers need the router and the router needs the workers: the name is bound below.
        router.wake.tick()

    delivery_workers = DeliveryWorkers(Deliveries(database), clock, clock_trust, observer, on_events=wake_router)
    delivery_workers.apply_config(config, receivers)
    outbox = Outbox(database)
    router = Router(outbox, routes_of(config), receivers, clock, delivery_workers.wake, observer=observer)
    shared = _Shared(database=database, clock=clock, clock_trust=clock_trust, observer=observer, router=router)
    poller = _make_poller(connections, shared)
    maintenance = _make_maintenance(connections, shared)
    return Pipeline(
        poller=poller,
        router=router,
        delivery_workers=delivery_workers,
        maintenance=maintenance,
        store_outage=_make_store_outage(connections, shared, outbox, poller),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shared:
    """The objects that several stages share."""

    database: Database
    clock: Clock
    clock_trust: ClockTrust
    observer: Observer
    router: Router


def _make_poller(connections: Connections, shared: _Shared) -> Poller:
    return Poller(
        polls_of(connections.config),
        connections.apis,
        PollStore(shared.database),
        shared.clock,
        thresholds=thresholds_of(connections.config),
        clock_trust=shared.clock_trust,
        on_events=shared.router.wake.tick,
        on_caught_up=shared.router.release,
        observer=shared.observer,
        service_apis=connections.apis,
    )


def _make_maintenance(connections: Connections, shared: _Shared) -> Maintenance:
    return Maintenance(
        Retention(shared.database),
        Deliveries(shared.database),
        DailyBackup(shared.database),
        limits_of(connections),
        shared.clock,
        clock_trust=shared.clock_trust,
        release_pages=shared.database.release_pages,
        on_events=shared.router.wake.tick,
    )


def _make_store_outage(connections: Connections, shared: _Shared, outbox: Outbox, poller: Poller) -> StoreOutageHandler:
    return StoreOutageHandler(
        WriteHealth(shared.database),
        poller.cache,
        outbox,
        poller,
        shared.clock,
        notifier=DirectNotifier(connections.receivers, routes_of(connections.config)),
        on_events=shared.router.wake.tick,
        observer=shared.observer,
    )


def limits_of(connections: Connections) -> Limits:
    """Return the limits of the maintenance."""
    config = connections.config
    return Limits(
        keep_history=config.state.keep_history,
        longest_wait=max(config.delivery.max_retry, PARKED_RETRY, DIGEST_PATIENCE),
        give_up_after=config.delivery.give_up_after,
        receivers=frozenset(connections.receivers),
    )
