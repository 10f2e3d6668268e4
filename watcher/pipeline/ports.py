"""The interfaces that the stages call; the adapters fit them without importing them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from watcher.core.batch import Batch, SavedState
from watcher.core.delivery.model import Claim, LeasedDelivery, Settled, Settlement
from watcher.core.delivery.receiver_change import Announcement, DeadGroup, ReceiverChange, ReceiverSummary
from watcher.core.delivery.receiver_state import ReceiverState
from watcher.core.delivery.waiting import DeliveryEnd, WaitingDelivery
from watcher.core.event import Event, Restore
from watcher.core.polling.result import PollFailure, PollOutcome, UnreadableRecord
from watcher.core.routing.fallback import FallbackEvent
from watcher.core.routing.planning import OutboxState, RoutingPlan
from watcher.core.training.earlier_runs import EarlierRuns, RunGroup, RunsWanted
from watcher.core.training.model import ServiceRef, Snapshot, TrainingRef
from watcher.core.updates.result import ScheduleResult, UpdateList


class Clock(Protocol):
    """The machine's clocks."""

    def utc_now(self) -> datetime:
        """Return the wall clock's time, aware and in UTC."""
        ...

    def monotonic(self) -> float:
        """Return seconds that never step, from an arbitrary zero."""
        ...


class ServiceInfo(Protocol):
    """One service in the list of an account."""

    @property
    def ref(self) -> ServiceRef:
        """The account and the id."""
        ...

    @property
    def name(self) -> str | None:
        """The name that its owner gave it."""
        ...


class ServicesResult(Protocol):
    """The services of an account."""

    @property
    def services(self) -> Sequence[ServiceInfo]:
        """The services, in the order of the list."""
        ...

    @property
    def asked_at(self) -> datetime:
        """The start of the request, UTC."""
        ...

    @property
    def answered_at(self) -> datetime:
        """The end of the response, UTC."""
        ...

    @property
    def digest(self) -> bytes:
        """SHA-256 of the response."""
        ...

    @property
    def deviations(self) -> tuple[str, ...]:
        """Differences from the documents that are no failure."""
        ...

    @property
    def unreadable(self) -> tuple[UnreadableRecord, ...]:
        """Records of the list that are left out; ``hidden_by`` says which services they may stand for."""
        ...

    @property
    def server_date(self) -> datetime | None:
        """The ``Date`` of the response, if there was one."""
        ...


class Api(Protocol):
    """One account of AiTEMS; a failure is a value and no exception."""

    async def view(self, ref: TrainingRef, *, first: bool = False) -> PollOutcome:
        """View one training; with ``first``, the budget serves it before scheduled polls."""
        ...

    async def list(self, service: ServiceRef) -> PollOutcome:
        """List the trainings of a service."""
        ...

    async def services(self, *, first: bool = False) -> ServicesResult | PollFailure:
        """List the services of the account; with ``first``, before scheduled polls."""
        ...


class ServiceApi(Protocol):
    """The calls of one account about interval services; a failure is a value and no exception."""

    async def schedule(self, ref: ServiceRef) -> ScheduleResult | PollFailure:
        """View the schedule of a service."""
        ...

    async def updates(self, ref: TrainingRef) -> UpdateList | PollFailure:
        """List the updates of a version."""
        ...


class PollStore(Protocol):
    """The store as the polling stage uses it."""

    @property
    def epoch(self) -> str:
        """The store's epoch."""
        ...

    @property
    def restore(self) -> Restore | None:
        """The latest restore of the store from a backup, if there was one."""
        ...

    async def load(self) -> SavedState:
        """Return everything that is remembered."""
        ...

    async def record(self, batch: Batch) -> list[Snapshot]:
        """Write all of a batch or nothing; return its snapshots with their new revisions.

        Raises:
            NotSavedError: the store cannot be written for a while.
        """
        ...


class PollingStore(PollStore, Protocol):
    """The same with the recorded runs."""

    async def earlier_runs(
        self, wanted: Mapping[RunGroup, RunsWanted], now: datetime
    ) -> Mapping[RunGroup, EarlierRuns]:
        """Return the earlier runs of groups, as far as they are wanted.

        Raises:
            NotSavedError: the store can neither be read nor written for a while.
        """
        ...


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


class Retention(Protocol):
    """The store as history pruning uses it."""

    async def prune(self, before: datetime) -> int:
        """Delete a batch of ended history older than this; return the number of events, 0 at the end."""
        ...

    async def prune_runs(self, before: datetime) -> int:
        """Delete a batch of runs that ended before this; return their number, 0 at the end."""
        ...


class WriteHealth(Protocol):
    """Whether the store can be written."""

    async def until_write(self, at_most_seconds: float) -> bool:
        """Wait for a write, at most this long, and return whether there is one; do not wait while one fails."""
        ...

    async def fault(self, now: float) -> str | None:
        """Return the cause that keeps the store from being written, if any; ``now`` in monotonic seconds."""
        ...

    async def free_bytes(self) -> int:
        """Return the free space on the store's disk, in bytes."""
        ...

    async def recovered(self, now: datetime) -> bool:
        """Try whether the store can be written again."""
        ...


class Polling(Protocol):
    """The polling stage, as a stage sees it that pauses it."""

    def pause(self) -> None:
        """Start no more polls."""
        ...

    def resume(self) -> None:
        """Poll again."""
        ...


class DailyBackup(Protocol):
    """The automatic backups of the store."""

    async def make_due(self, now: datetime) -> str | None:
        """Make a backup if the newest is a day old; return its file, and raise when it cannot be made."""
        ...

    async def prune(self, now: datetime) -> int:
        """Remove backups older than a week; return their number."""
        ...
