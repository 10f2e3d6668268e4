"""The stages of the river, wired to each other and to the store."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from watcher.clock import Clock
from watcher.config import Config
from watcher.config.plan import looks_of, policy_of, routes_of, thresholds_of
from watcher.core.delivery import PARKED_RETRY
from watcher.core.routing import DIGEST_PATIENCE
from watcher.flow.deliver import Courier, couriers
from watcher.flow.doubt import ClockDoubt
from watcher.flow.poll import Poller
from watcher.flow.ports import Api, Receiver
from watcher.flow.route import Router
from watcher.flow.upkeep import Limits, Upkeep
from watcher.store.backups import Backups
from watcher.store.database import Database
from watcher.store.deliveries import Deliveries
from watcher.store.outbox import Outbox
from watcher.store.polls import Polls
from watcher.store.retention import Retention


@dataclass(frozen=True, slots=True, kw_only=True)
class Stages:
    """The river and what is done beside it."""

    poller: Poller
    router: Router
    couriers: Mapping[str, Courier]
    upkeep: Upkeep


def wire(
    config: Config,
    database: Database,
    apis: Mapping[str, Api],
    receivers: Mapping[str, Receiver],
    clock: Clock,
) -> Stages:
    """Make the stages; they share the store, the clock and one doubt about the wall clock."""
    doubt = ClockDoubt()
    carriers = couriers(receivers, Deliveries(database), policy_of(config), clock, doubt)

    def wake_couriers() -> None:
        for courier in carriers.values():
            courier.wake.ring()

    router = Router(Outbox(database), routes_of(config), receivers, clock, wake_couriers)
    poller = Poller(
        looks_of(config),
        apis,
        Polls(database),
        clock,
        thresholds=thresholds_of(config),
        doubt=doubt,
        on_events=router.wake.ring,
        on_caught_up=router.let_go,
    )
    limits = Limits(
        keep_history=config.state.keep_history,
        longest_wait=max(config.delivery.max_retry, PARKED_RETRY, DIGEST_PATIENCE),
        give_up_after=config.delivery.give_up_after,
        receivers=frozenset(receivers),
    )
    upkeep = Upkeep(Retention(database), Deliveries(database), Backups(database), limits, clock, doubt=doubt)
    return Stages(poller=poller, router=router, couriers=carriers, upkeep=upkeep)
