"""The interfaces for routing and delivery; the store fits them without importing them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from watcher.core.delivery.model import Claim, LeasedDelivery, Settled, Settlement
from watcher.core.delivery.receiver_change import Announcement, DeadGroup, ReceiverChange, ReceiverSummary
from watcher.core.delivery.receiver_state import ReceiverState
from watcher.core.delivery.waiting import DeliveryEnd, WaitingDelivery
from watcher.core.event import Event, Restore
from watcher.core.routing.fallback import FallbackEvent
from watcher.core.routing.planning import OutboxState, RoutingPlan


class Outbox(Protocol):
    """The store as the routing stage uses it."""

    @property
    def restore(self) -> Restore | None:
        """The latest restore of the store from a backup, if there was one."""
        ...

    async def unrouted(self, limit: int, accounts: Collection[str] | None = None) -> list[tuple[Event, int]]:
        """Return the oldest events without a route, each with its subject's number of events in the past hour.

        Without ``accounts``, the events of every account.
        """
        ...

    async def state(self, receivers: Collection[str], subjects: Collection[str], now: datetime) -> OutboxState:
        """Return the facts that a plan for these receivers and subjects depends on."""
        ...

    async def enqueue(self, plan: RoutingPlan) -> None:
        """Write the deliveries and ledger entries of a plan and mark its events routed; all of it or nothing.

        Raises:
            OutdatedDecisionError: the plan depends on facts that have changed; nothing was written.
        """
        ...

    async def fallbacks_due(self, fallbacks: Mapping[str, str], limit: int) -> list[FallbackEvent]:
        """Return urgent events that wait for a failing receiver and that its fallback does not have yet."""
        ...

    async def enqueue_fallbacks(self, plan: RoutingPlan) -> None:
        """Write further deliveries of events that are routed already; all of them or none.

        Raises:
            OutdatedDecisionError: the plan depends on facts that have changed; nothing was written.
        """
        ...

    async def release(self, group_key: str | None, now: datetime) -> None:
        """Make the open groups of this key due now; ``None`` stands for every key."""
        ...


class Deliveries(Protocol):
    """The store as a delivery worker uses it."""

    @property
    def epoch(self) -> str:
        """The store's epoch."""
        ...

    @property
    def restore(self) -> Restore | None:
        """The latest restore of the store from a backup, if there was one."""
        ...

    async def claim(self, claim: Claim, now: datetime) -> list[LeasedDelivery]:
        """Lease due deliveries of a receiver, each the first of its lines; nothing joins a leased group any more."""
        ...

    async def save_bodies(self, bodies: Sequence[tuple[LeasedDelivery, bytes]]) -> list[bool]:
        """Store the bodies of leased deliveries that have none; ``False`` for each whose lease is lost."""
        ...

    async def settle(self, leased: LeasedDelivery, settlement: Settlement, change: ReceiverChange | None) -> bool:
        """Write the outcome of an attempt and the change of the receiver; ``False`` when the lease is lost.

        Raises:
            OutdatedDecisionError: the receiver's state is not ``change.before`` any more; nothing was written.
        """
        ...

    async def settle_all(self, settled: Sequence[Settled], change: ReceiverChange | None) -> list[bool]:
        """Write the outcomes of attempts that ended together, see ``settle``; ``False`` for each lost lease."""
        ...

    async def next_due(self, receiver: str, *, oldest_only: bool = False) -> datetime | None:
        """Return the time at which the next waiting delivery of a receiver is due."""
        ...

    async def receiver_state(self, receiver: str) -> ReceiverState:
        """Return the state of a receiver, without the deliveries that wait for it."""
        ...

    async def receiver_summary(self, receiver: str, settling: str = "", *, ends: bool = False) -> ReceiverSummary:
        """Return the state of a receiver and the deliveries that wait for it.

        ``settling`` is the delivery whose attempt has just ended; it does not count as failed. With ``ends`` it waits
        no more.
        """
        ...

    async def urgent_since(self, receiver: str, settling: str) -> datetime | None:
        """Return the creation of the oldest urgent delivery that has failed and still waits, see above."""
        ...

    async def change_receiver(self, change: ReceiverChange) -> None:
        """Write the change of a receiver with its event.

        Raises:
            OutdatedDecisionError: the state of the receiver has changed; nothing was written.
        """
        ...

    async def probe(self, receiver: str, now: datetime) -> None:
        """Make the oldest delivery of a failing receiver due now."""
        ...

    async def wake(self, receiver: str, now: datetime) -> int:
        """Make every pending delivery of a receiver due now; return their number."""
        ...

    async def expirable(
        self, receiver: str, before: datetime, *, uncertain: bool, untried: bool
    ) -> list[WaitingDelivery]:
        """Return some deliveries of a receiver that were allowed to go before this time."""
        ...

    async def end(self, endings: Sequence[DeliveryEnd], now: datetime) -> list[str]:
        """End deliveries that are still in the state that was read; return their ids."""
        ...

    async def dead_groups(self, receiver: str | None) -> list[DeadGroup]:
        """Return the dead deliveries that are not announced, by receiver; ``None`` stands for every receiver."""
        ...

    async def announce(self, announcements: Sequence[Announcement]) -> None:
        """Record the events about dead deliveries.

        Raises:
            OutdatedDecisionError: a receiver or a delivery has changed; nothing was written.
        """
        ...


class OrphanDeliveries(Protocol):
    """The store as maintenance uses it: for deliveries that no worker looks after."""

    @property
    def epoch(self) -> str:
        """The store's epoch."""
        ...

    @property
    def restore(self) -> Restore | None:
        """The latest restore of the store from a backup, if there was one."""
        ...

    async def reclaim(self, receivers: Collection[str], now: datetime) -> int:
        """Make leased deliveries uncertain: those with an expired lease, and all of these receivers."""
        ...

    async def cap_waits(self, now: datetime, longest: timedelta) -> int:
        """Shorten waits and leases that are longer than this; return the number of waits."""
        ...

    async def removed_receivers(self, configured: Collection[str]) -> list[ReceiverSummary]:
        """Return the receivers that are not configured although deliveries wait for them."""
        ...

    async def change_receivers(self, changes: Sequence[ReceiverChange], configured: Collection[str]) -> None:
        """Write the changes; a removed receiver without waiting deliveries does not count as failing any more.

        Raises:
            OutdatedDecisionError: the state of a receiver has changed; nothing was written.
        """
        ...

    async def orphaned(self, configured: Collection[str], before: datetime) -> list[WaitingDelivery]:
        """Return some open deliveries to other receivers than these, made before this time."""
        ...

    async def end(self, endings: Sequence[DeliveryEnd], now: datetime) -> list[str]:
        """End deliveries that are still in the state that was read; return their ids."""
        ...

    async def dead_groups(self, receiver: str | None) -> list[DeadGroup]:
        """Return the dead deliveries that are not announced, by receiver; ``None`` stands for every receiver."""
        ...

    async def announce(self, announcements: Sequence[Announcement]) -> None:
        """Record the events about dead deliveries.

        Raises:
            OutdatedDecisionError: a receiver or a delivery has changed; nothing was written.
        """
        ...
