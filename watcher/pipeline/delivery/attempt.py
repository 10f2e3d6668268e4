"""Make one attempt at a delivery, and settle it by its outcome."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final, TypeVar

import structlog

from watcher.core.delivery.lookup import LookupResult, MessageFound
from watcher.core.delivery.model import (
    TRIES,
    Attempt,
    Dedup,
    Delivered,
    DeliveryRequest,
    LeasedDelivery,
    Outcome,
    Policy,
    Settlement,
    TryLater,
    Uncertain,
    Verdict,
    verdict,
)
from watcher.core.delivery.reason import INTERNAL_FAULT, Reason, ReasonCode
from watcher.core.delivery.receiver import CONNECTIONS, Receiver, SupportsLookup
from watcher.core.delivery.receiver_change import ReceiverChange
from watcher.core.delivery.receiver_health import signal_of
from watcher.core.delivery.state import OnUncertain, State
from watcher.core.event import Kind
from watcher.core.observer import Observer
from watcher.pipeline.clock_trust import ClockTrust
from watcher.pipeline.delivery.log import log_receiver_change, log_settled
from watcher.pipeline.delivery.lookup import LookupRunner
from watcher.pipeline.delivery.pace import ChannelPace
from watcher.pipeline.delivery.receiver_monitor import ReceiverMonitor
from watcher.pipeline.delivery.refusals import RefusalCounts
from watcher.pipeline.delivery_ports import Deliveries
from watcher.pipeline.ports import Clock
from watcher.pipeline.repeated import until_current

log = structlog.get_logger()

T = TypeVar("T")

LEASE: Final = timedelta(minutes=2)
"""Longer than any attempt may take with its wait for a connection, see the deadline of the receivers."""
WRITE_AGAIN_SECONDS: Final = 1.0
NEVER: Final = timedelta(days=36500)
FORGETTING: Final = 0.8
"""The share of the longest attempt that counts after one more."""
OUTAGE_SIZE: Final = 2
"""So many different deliveries that fail in a row point to the receiver, not to a message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryParts:
    """The parts that deliver to one receiver."""

    receiver: Receiver
    deliveries: Deliveries
    policy: Policy
    clock: Clock
    clock_trust: ClockTrust
    pace: ChannelPace
    """Shared with the other receivers of the channel."""
    observer: Observer
    on_events: Callable[[], None]
    """Called when an event about the receiver was recorded."""


class AttemptRunner:
    """Attempts leased deliveries of one receiver."""

    def __init__(self, parts: DeliveryParts, monitor: ReceiverMonitor, stopping: asyncio.Event) -> None:
        self._parts = parts
        self._receiver = parts.receiver
        self._clock = parts.clock
        self._monitor = monitor
        self._stopping = stopping
        self.lookup_runner = (
            LookupRunner(parts.receiver, parts.clock) if isinstance(parts.receiver, SupportsLookup) else None
        )
        self._refusals = RefusalCounts()
        self._failed_ids: set[str] = set()
        self._connections = asyncio.Semaphore(CONNECTIONS)
        self.last_success_at = parts.clock.monotonic()
        """The time of the latest delivery that arrived, in monotonic seconds."""
        self.slowest_seconds = 1.0
        """The longest of the latest attempts, in which older ones count less."""
        self.has_dead_letters = True
        """Whether dead letters may wait for their announcement; at the start those of an earlier process."""

    def is_lookup(self, batch: Sequence[LeasedDelivery]) -> bool:
        """Say whether these deliveries are uncertain and are looked up."""
        return self.lookup_runner is not None and batch[0].in_doubt

    async def look_up(self, batch: Sequence[LeasedDelivery]) -> None:
        """Look up uncertain deliveries, all at once."""
        if self.lookup_runner is not None:
            looked_up = await self.lookup_runner.look_up_uncertain(batch, self._policy())
            await asyncio.gather(*(self._settle(leased, decided, result) for leased, decided, result in looked_up))

    async def with_bodies(self, batch: Sequence[LeasedDelivery]) -> list[LeasedDelivery]:
        """Render and store the bodies of the deliveries that have none, without those whose lease is lost.

        A group is rendered now, since no event joins it any more. A body is stored before it is sent, so that every
        attempt sends the same bytes.
        """
        bodies = [
            (leased, body)
            for leased in batch
            if leased.request.body is None and (body := self._render(leased)) is not None
        ]
        if not bodies:
            return list(batch)
        held = await self._while_leased(batch[0], lambda: self._parts.deliveries.save_bodies(bodies))
        known = {
            leased.request.delivery_id: body if saved else None
            for (leased, body), saved in zip(bodies, held, strict=True)
        }
        return [rendered for leased in batch if (rendered := self._with_body(leased, known)) is not None]

    def _with_body(self, leased: LeasedDelivery, known: Mapping[str, bytes | None]) -> LeasedDelivery | None:
        identity = leased.request.delivery_id
        if identity not in known:
            return leased
        if (body := known[identity]) is None:
            log.warning("delivery.lease_lost", receiver=self._receiver.name, delivery_id=identity)
            return None
        return replace(leased, request=replace(leased.request, body=body))

    def _render(self, leased: LeasedDelivery) -> bytes | None:
        entries = list(zip(leased.request.events, leased.receiver_seqs, strict=True))
        try:
            return self._receiver.seal_group(entries, leased.request.also)
        except Exception:
            # As in routing: the delivery is sent without a body, and the receiver's refusal is announced.
            log.exception("group.render_failed", receiver=self._receiver.name, event_id=entries[0][0].id)
            return None

    async def attempt(self, leased: LeasedDelivery) -> None:
        """Make one attempt and settle it."""
        if self._must_hold(leased):
            await self._settle(
                leased, Verdict(state=State.HELD, reason=Reason(code=ReasonCode.MAY_BE_REPEAT)), Delivered()
            )
            return
        # Read before the attempt: a store that cannot be read must not leave an attempt unsettled.
        parked = await self._monitor.is_parked()
        outcome = await self._send(leased.request)
        counted = self._refusals.count(leased, outcome)
        # A parked receiver is tried once an hour, and one answer shows whether it still refuses.
        refusals = TRIES if parked else counted
        decided = self._decide(leased, outcome, refusals)
        self._pause_channel(outcome)
        await self._settle(leased, decided, outcome, refusals)
        await self._wake_after_outage(leased, outcome)

    async def _send(self, request: DeliveryRequest) -> Outcome:
        # The wait for a connection is not part of the attempt: it says nothing about the receiver.
        async with self._connections:
            return await self._timed(request)

    async def _timed(self, request: DeliveryRequest) -> Outcome:
        began_at = self._clock.monotonic()
        try:
            return await self._receiver.send(request)
        except Exception:
            # One message that crashes must not stop the others; whether it was sent is unknown.
            log.exception("delivery.crashed", receiver=self._receiver.name, delivery_id=request.delivery_id)
            return Uncertain(reason=INTERNAL_FAULT)
        finally:
            took = self._clock.monotonic() - began_at
            self.slowest_seconds = max(took, FORGETTING * self.slowest_seconds)

    def _decide(self, leased: LeasedDelivery, outcome: Outcome, refusals: int) -> Verdict:
        attempt = Attempt(
            number=leased.request.attempt,
            allowed_at=leased.allowed_at,
            dedup=self._receiver.dedup,
            refusals=refusals,
        )
        unit = random.random()  # noqa: S311 - it spreads waits
        return verdict(outcome, attempt, self._policy(), self._clock.utc_now(), unit)

    def _policy(self) -> Policy:
        """Return the policy; while the wall clock is not trusted, no delivery expires by its age."""
        policy = self._parts.policy
        return policy if self._parts.clock_trust.trusted else replace(policy, give_up_after=NEVER)

    def _must_hold(self, leased: LeasedDelivery) -> bool:
        """Say whether an operator decides on another attempt: after a crash, the first one may have arrived.

        A clear failure after that decision is retried without asking again, though the message may still be a repeat.
        """
        hold = self._parts.policy.on_uncertain is OnUncertain.HOLD
        return hold and leased.in_doubt and self._receiver.dedup is not Dedup.BY_ID

    def _pause_channel(self, outcome: Outcome) -> None:
        """Keep the channel free for as long as the receiver asks, up to the longest wait of the policy."""
        if isinstance(outcome, TryLater | Uncertain) and outcome.after_seconds is not None:
            seconds = min(outcome.after_seconds, self._parts.policy.max_retry.total_seconds())
            self._parts.pace.pause(self._clock.monotonic(), seconds)

    async def _settle(
        self, leased: LeasedDelivery, decided: Verdict, outcome: Outcome | LookupResult, refusals: int = TRIES
    ) -> None:
        settlement = Settlement(
            verdict=decided,
            at=self._clock.utc_now(),
            answer=outcome.answer,
            receipt=outcome.receipt if isinstance(outcome, Delivered | MessageFound) else None,
            signal=None if decided.state is State.HELD else signal_of(outcome, leased.request.attempted_at, refusals),
        )

        async def write() -> tuple[bool, ReceiverChange | None]:
            return await until_current(lambda: self._monitor.settle(leased, settlement))

        saved, change = await self._while_leased(leased, write)
        self._parts.observer.settled(self._receiver.name, decided)
        log_settled(self._receiver.name, leased, decided, saved=saved)
        if saved:
            self.has_dead_letters = self.has_dead_letters or decided.state is State.DEAD
            self.report(change)

    def report(self, change: ReceiverChange | None) -> None:
        """Log the change of the receiver, and have its event routed."""
        if change is not None and change.event is not None:
            log_receiver_change(change, failing=change.event.kind is Kind.RECEIVER_FAILING)
            self._parts.on_events()

    async def _while_leased(self, leased: LeasedDelivery, write: Callable[[], Awaitable[T]]) -> T:
        """Repeat a failing write until the lease ends: an unsettled delivery is sent a second time."""
        end = self._clock.monotonic() + LEASE.total_seconds()
        while True:
            try:
                return await write()
            except Exception:
                log.exception("delivery.settle_failed", delivery_id=leased.request.delivery_id)
                if self._stopping.is_set() or self._clock.monotonic() >= end:
                    raise
            await asyncio.sleep(WRITE_AGAIN_SECONDS)

    async def _wake_after_outage(self, leased: LeasedDelivery, outcome: Outcome) -> None:
        """Make waiting deliveries due at once after an outage, instead of at the end of their back-off."""
        if not isinstance(outcome, Delivered):
            self._failed_ids.add(leased.request.delivery_id)
            return
        self.last_success_at = self._clock.monotonic()
        was_outage = len(self._failed_ids) >= OUTAGE_SIZE
        self._failed_ids.clear()
        if was_outage:
            woken = await self._parts.deliveries.wake(self._receiver.name, self._clock.utc_now())
            log.info("receiver.outage_ended", receiver=self._receiver.name, waiting=woken)
