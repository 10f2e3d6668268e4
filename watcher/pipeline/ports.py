"""What the stages call, declared where it is consumed; the adapters fit without knowing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Protocol, runtime_checkable

from watcher.core.batch import Batch, SavedState
from watcher.core.delivery.lookup import LookupResult
from watcher.core.delivery.model import Claim, Dedup, DeliveryRequest, LeasedDelivery, Outcome, Settlement, Verdict
from watcher.core.event import Event
from watcher.core.polling.result import PollFailure, PollOutcome
from watcher.core.routing.routes import RoutingDecision
from watcher.core.training.model import ServiceRef, Snapshot, TrainingRef

SealGroup = Callable[[Sequence[tuple[Event, int]], Sequence[Event]], bytes | None]
"""A group's events with their ``receiver_seq``, and those told by themselves, to what is kept with the delivery."""


class Clock(Protocol):
    """The machine's clocks."""

    def utc_now(self) -> datetime:
        """Return the wall clock's time, aware and in UTC."""
        ...

    def monotonic(self) -> float:
        """Return seconds that never step, from an arbitrary zero."""
        ...


class Observer(Protocol):
    """Who is told of the stages' work: the pulse and the metrics; it decides nothing and never raises."""

    def progressed(self, loop: str, within_seconds: float) -> None:
        """Note that a loop turns, and that it will again within so long."""
        ...

    def ended(self, loop: str) -> None:
        """Note that a loop has stopped in order."""
        ...

    def poll_started(self, late_seconds: float) -> None:
        """Note how long after it was due a look starts."""
        ...

    def asked(self, account: str, call: str, outcome: str) -> None:
        """Note what came of a call: ``seen``, or the cause of seeing nothing."""
        ...

    def routed(self, event: Event) -> None:
        """Note an event on its way to whom it concerns."""
        ...

    def settled(self, receiver: str, verdict: Verdict) -> None:
        """Note what became of an attempt to deliver."""
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


class Api(Protocol):
    """One account of AiTEMS; a failure is a value and no exception."""

    async def view(self, ref: TrainingRef, *, first: bool = False) -> PollOutcome:
        """View one training; with ``first``, the budget serves it before scheduled polls."""
        ...

    async def list(self, service: ServiceRef) -> PollOutcome:
        """List the trainings of a service."""
        ...

    async def services(self) -> ServicesResult | PollFailure:
        """List the services of the account."""
        ...


class PollStore(Protocol):
    """The store as the polling stage uses it."""

    @property
    def epoch(self) -> str:
        """The store's epoch."""
        ...

    @property
    def restored_at(self) -> datetime | None:
        """The time at which the store was restored from a backup, if it ever was."""
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


class Outbox(Protocol):
    """The memory of the routing stage."""

    async def unrouted(self, limit: int) -> list[tuple[Event, int]]:
        """Return the oldest events that no route has seen yet, each with how many its subject had in the hour to it."""
        ...

    async def enqueue(
        self,
        plans: Sequence[tuple[Event, RoutingDecision]],
        seal: Callable[[str, Event, int], bytes | None],
        now: datetime,
    ) -> Mapping[str, str]:
        """Make deliveries and ledger entries and mark the events routed, all of it or nothing.

        What a silence takes is recorded as that instead; return those events with the ids of their silences.
        """
        ...

    async def release(self, group_key: str | None, now: datetime) -> None:
        """Let the open groups of this key go now."""
        ...

    async def failing_receivers(self) -> frozenset[str]:
        """Return the names of the receivers that refuse for good."""
        ...


class Deliveries(Protocol):
    """The memory of the delivering stage."""

    async def reclaim(self, now: datetime) -> int:
        """Take back what a process that died was sending."""
        ...

    async def claim(self, claim: Claim, seal_group: SealGroup, now: datetime) -> list[LeasedDelivery]:
        """Lease the heads of a receiver's due lines, and seal what was still open."""
        ...

    async def settle(self, leased: LeasedDelivery, settlement: Settlement) -> bool:
        """Write what became of an attempt, if it is still ours."""
        ...

    async def next_due(self, receiver: str, *, oldest_only: bool = False) -> datetime | None:
        """Return when the next waiting delivery of a receiver is due."""
        ...

    async def is_parked(self, receiver: str) -> bool:
        """Say whether a receiver refuses for good."""
        ...

    async def probe(self, receiver: str, now: datetime) -> None:
        """Let a parked receiver be tried now, with the oldest row."""
        ...

    async def expire(self, receiver: str, before: datetime, now: datetime) -> list[str]:
        """Give up some of what waits for a receiver and was made before this time; return the ids, none at the end."""
        ...

    async def announce(self, receiver: str | None, now: datetime) -> list[Event]:
        """Record an event on what died and was not told yet."""
        ...

    async def wake(self, receiver: str, now: datetime) -> int:
        """Make everything that waits for a receiver due now."""
        ...


class OrphanDeliveries(Protocol):
    """Deliveries that the couriers alone would leave where they are."""

    async def cap_waits(self, now: datetime, longest: timedelta) -> int:
        """Shorten waits that are longer than any of ours may be."""
        ...

    async def note_removed(self, configured: frozenset[str], now: datetime) -> list[str]:
        """Record that something waits for receivers that are not configured any more; return those it is news of."""
        ...

    async def expire_orphans(self, receivers: frozenset[str], before: datetime, now: datetime) -> list[str]:
        """End some of what is too old and goes to none of these receivers; return the ids, none at the end."""
        ...

    async def announce(self, receiver: str | None, now: datetime) -> list[Event]:
        """Record an event on what died and was not told yet, of one receiver or of all."""
        ...


class Retention(Protocol):
    """The memory of the upkeep."""

    async def prune(self, before: datetime) -> int:
        """Forget a batch of what is over and older; return how much that was."""
        ...


class WriteHealth(Protocol):
    """Whether the memory can be written."""

    async def fault(self, now: float) -> str | None:
        """Return what keeps it from being written, if anything; ``now`` in monotonic seconds."""
        ...

    async def free_bytes(self) -> int:
        """Return how much room there is."""
        ...

    async def recovered(self, now: datetime) -> bool:
        """Try whether it can be written again."""
        ...


class Polling(Protocol):
    """The looking stage, as whoever must stop it sees it."""

    def pause(self) -> None:
        """Start no more looks."""
        ...

    def resume(self) -> None:
        """Look again."""
        ...


class DailyBackup(Protocol):
    """The automatic backups of the memory."""

    async def make_due(self, now: datetime) -> str | None:
        """Make a backup if the newest is a day old; return its file, and raise when it cannot be made."""
        ...

    async def prune(self, now: datetime) -> int:
        """Remove those that are older than a week; return how many."""
        ...


class Receiver(Protocol):
    """One destination: it seals, makes one attempt, and classifies it."""

    @property
    def name(self) -> str:
        """The name in the configuration."""
        ...

    @property
    def pace_key(self) -> str:
        """What shares one pace: two receivers of one Slack channel have the same."""
        ...

    @property
    def pace_seconds(self) -> float:
        """The least time between two attempts on the lane; 0 for no limit."""
        ...

    @property
    def dedup(self) -> Dedup:
        """What the other side knows of a message that is sent twice."""
        ...

    def seal(self, event: Event, receiver_seq: int) -> bytes | None:
        """Render what is kept with the delivery; ``None`` where each attempt renders anew."""
        ...

    def seal_group(self, entries: Sequence[tuple[Event, int]], also: Sequence[Event]) -> bytes | None:
        """Render a group as ``seal`` renders one event; ``also`` names events that were told by themselves."""
        ...

    async def send(self, delivery_request: DeliveryRequest) -> Outcome:
        """Make one attempt; never raises for what the other side does."""
        ...


@runtime_checkable
class SupportsLookup(Protocol):
    """A receiver that can be asked what became of a message."""

    async def look_up(self, requests: Sequence[DeliveryRequest]) -> Mapping[str, LookupResult]:
        """Look for all of them at once; return what was found by delivery id. Never raises for the other side."""
        ...
