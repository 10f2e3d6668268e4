"""Delivering: each receiver has a courier of its own, so that a failing one holds up no other."""

from __future__ import annotations

import asyncio
import random
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

import structlog

from watcher.core.delivery.lookup import LookupResult, MessageFound
from watcher.core.delivery.model import (
    Attempt,
    Claim,
    Dedup,
    Delivered,
    DeliveryRequest,
    LeasedDelivery,
    OnUncertain,
    Outcome,
    Policy,
    ReceiverSignal,
    Settlement,
    SignalKind,
    State,
    TryLater,
    Uncertain,
    Verdict,
    verdict,
)
from watcher.core.delivery.receiver_health import signal_of
from watcher.core.event import Event
from watcher.core.health.liveness import UNBOUNDED
from watcher.pipeline.clock_trust import ClockTrust
from watcher.pipeline.delivery.log import log_settled
from watcher.pipeline.delivery.lookup import LookupRunner
from watcher.pipeline.delivery.pace import ChannelPace
from watcher.pipeline.observer import UNOBSERVED
from watcher.pipeline.ports import Clock, Deliveries, Observer, Receiver, SupportsLookup
from watcher.pipeline.wakeup import Wake

log = structlog.get_logger()

LEASE: Final = timedelta(minutes=2)
"""Longer than any attempt may take, see the receivers' deadline."""
SWEEP_SECONDS: Final = 10.0
SETTLE_AGAIN_SECONDS: Final = 1.0
PARALLEL: Final = 4
"""Attempts at a time at a receiver without a pace, each of another line."""
NEVER: Final = timedelta(days=36500)
ANNOUNCE_SECONDS: Final = 60.0
"""Dead letters of one receiver are told at most so often, what died meanwhile in one message."""
NAMED: Final = 20
"""Deliveries that one log line names."""
OUTAGE_SIZE: Final = 2
"""So many different deliveries failing in a row speak of the receiver, not of a message."""


class DeliveryWorker:
    """Claims what is due for one receiver, makes the attempts, settles each by what came of it."""

    def __init__(  # noqa: PLR0913 - wired once, in couriers
        self,
        receiver: Receiver,
        deliveries: Deliveries,
        policy: Policy,
        clock: Clock,
        pace_key: ChannelPace,
        *,
        clock_trust: ClockTrust,
        observer: Observer = UNOBSERVED,
        on_events: Callable[[], None] = lambda: None,
    ) -> None:
        self._on_events = on_events
        self._parked: bool | None = None
        """Whether the receiver refuses for good; ``None`` until the store was asked."""
        self._may_announce_at = clock.monotonic()
        self._unannounced_dead_letters = True
        self._clock_trust = clock_trust
        self._observer = observer
        self._loop = f"delivering {receiver.name}"
        self._receiver = receiver
        self._deliveries = deliveries
        self._policy = policy
        self._clock = clock
        self._pace = pace_key
        self._lookup_runner = LookupRunner(receiver, clock) if isinstance(receiver, SupportsLookup) else None
        self._failing: set[str] = set()
        self._well_at = self._expired_at = clock.monotonic()
        """When something was last delivered, and when it was last looked for what is too old."""
        self._stopping = asyncio.Event()
        self.wake = Wake()

    def stop(self) -> None:
        """Claim no more; ``run`` ends when the attempts under way have ended."""
        self._stopping.set()
        self.wake.tick()

    async def probe(self) -> None:
        """Try a receiver that refuses for good at once: something about it may have been mended."""
        await self._deliveries.probe(self._receiver.name, self._clock.utc_now())
        self.wake.tick()

    async def run(self) -> None:
        """Deliver until ``stop``."""
        try:
            await self._run()
        finally:
            self._observer.ended(self._loop)

    async def _run(self) -> None:
        # A restart, or a reload, is how what was wrong is mended.
        to_probe = True
        while not self._stopping.is_set():
            try:
                if to_probe:
                    await self.probe()
                    to_probe = False
                await self.drain()
                if not self._pace.is_paused(self._clock.monotonic()):
                    await self._expire()
                await self._announce_dead_letters()
                await self.wake.wait(await self._idle_seconds())
            except Exception:
                # Rows that were claimed come back when their lease ends.
                log.exception("delivery.loop_failed", receiver=self._receiver.name)
                await self.wake.wait(SWEEP_SECONDS)

    async def drain(self) -> None:
        """Attempt everything that is due, and what becomes due meanwhile; a receiver's long pause ends it."""
        while not self._stopping.is_set() and (batch := await self._claim()):
            await self._work(batch)
            if self._is_hopeless() and self._clock.monotonic() >= self._expired_at + SWEEP_SECONDS:
                await self._expire()

    async def sweep(self) -> None:
        """Attempt once what is due now; what the receiver puts off is left for another time."""
        due_by = self._clock.utc_now()
        while not self._pace.is_paused(self._clock.monotonic()) and (batch := await self._claim(due_by)):
            await self._work(batch)

    async def _work(self, batch: Sequence[LeasedDelivery]) -> None:
        if self._lookup_runner is None or not batch[0].in_doubt:
            await asyncio.gather(*(self._attempt(leased) for leased in batch))
            return
        for leased, decided, lookup_result in await self._lookup_runner.look_up_uncertain(batch, self._policy_now()):
            await self._settle(leased, decided, lookup_result)

    async def give_up(self) -> None:
        """End what is too old, also where nothing was tried, and tell what has died; after ``drain``."""
        await self._expire()
        await self._announce_dead_letters()

    def _is_hopeless(self) -> bool:
        """Say whether nothing was delivered for longer than any wait lasts.

        Else what is too old, after days off or a long pause, may still pass, and waits for its attempt.
        """
        return self._clock.monotonic() - self._well_at > self._policy.max_retry.total_seconds()

    async def _expire(self) -> None:
        self._expired_at = self._clock.monotonic()
        if self._clock_trust.lasts:
            return
        now = self._clock.utc_now()
        expired: list[str] = []
        while batch := await self._deliveries.expire(self._receiver.name, now - self._policy.give_up_after, now):
            expired += batch
        self._unannounced_dead_letters = self._unannounced_dead_letters or bool(expired)
        if expired:
            log.error("delivery.expired", receiver=self._receiver.name, count=len(expired), deliveries=expired[:NAMED])

    async def _announce_dead_letters(self) -> None:
        if self._unannounced_dead_letters and self._clock.monotonic() >= self._may_announce_at:
            await self._announce(self._clock.utc_now())

    async def _announce(self, now: datetime) -> None:
        events = await self._deliveries.announce(self._receiver.name, now)
        self._unannounced_dead_letters = False
        if events:
            # What dies soon after goes into one further message.
            self._may_announce_at = self._clock.monotonic() + ANNOUNCE_SECONDS
            self._on_events()

    async def _is_parked(self) -> bool:
        if self._parked is None:
            self._parked = await self._deliveries.is_parked(self._receiver.name)
        return self._parked

    async def _idle_seconds(self) -> float:
        due_at = await self._deliveries.next_due(self._receiver.name, oldest_only=await self._is_parked())
        longest = SWEEP_SECONDS
        if self._unannounced_dead_letters:
            longest = min(longest, max(self._may_announce_at - self._clock.monotonic(), 0.01))
        if due_at is None:
            return longest
        paused = self._pace.wait_seconds(self._clock.monotonic())
        return min(longest, max((due_at - self._clock.utc_now()).total_seconds(), paused, 0.01))

    async def _claim(self, due_by: datetime | None = None) -> list[LeasedDelivery]:
        # The lane is waited for before a row is leased, so that a lease never ages in a queue.
        self._observer.progressed(self._loop, UNBOUNDED)
        async with self._pace.turn:
            if not await self._pace.free(self._clock, self._stopping):
                # Where it is stopping, another configuration may hold: what waits is for those that know it.
                return []
            self._observer.progressed(self._loop, LEASE.total_seconds())
            parked = await self._is_parked()
            claim = Claim(
                receiver=self._receiver.name,
                limit=1 if self._pace.pace_seconds or parked else PARALLEL,
                token=secrets.token_hex(8),
                lease=LEASE,
                due_by=due_by,
                by_lookup=self._lookup_runner is not None,
                oldest_only=parked,
            )
            leased = await self._deliveries.claim(claim, self._seal_group, self._clock.utc_now())
            if leased and (self._lookup_runner is None or not leased[0].in_doubt):
                self._pace.take(self._clock.monotonic())
            return leased

    def _seal_group(self, entries: Sequence[tuple[Event, int]], also: Sequence[Event]) -> bytes | None:
        try:
            return self._receiver.seal_group(entries, also)
        except Exception:
            # As in routing: a group that cannot be rendered goes on without a body, and its refusal is told.
            log.exception("group.render_failed", receiver=self._receiver.name, event_id=entries[0][0].id)
            return None

    async def _attempt(self, leased: LeasedDelivery) -> None:
        if self._must_hold(leased):
            await self._settle(leased, Verdict(state=State.HELD, reason="may-be-repeat"), Delivered())
            return
        outcome = await self._send(leased.request)
        decided = self._judge(leased, outcome)
        self._heed(outcome)
        await self._settle(leased, decided, outcome)
        await self._note_health(leased, outcome)

    async def _send(self, request: DeliveryRequest) -> Outcome:
        try:
            return await self._receiver.send(request)
        except Exception:
            # A fault of ours in one message must not stop the line; whether anything was sent is not known.
            log.exception("delivery.crashed", receiver=self._receiver.name, delivery_id=request.delivery_id)
            return Uncertain(reason="internal-fault")

    def _judge(self, leased: LeasedDelivery, outcome: Outcome) -> Verdict:
        attempt = Attempt(
            number=leased.request.attempt,
            created_at=leased.created_at,
            dedup=self._receiver.dedup,
        )
        unit = random.random()  # noqa: S311 - it spreads waits
        return verdict(outcome, attempt, self._policy_now(), self._clock.utc_now(), unit)

    def _policy_now(self) -> Policy:
        return replace(self._policy, give_up_after=NEVER) if self._clock_trust.lasts else self._policy

    def _must_hold(self, leased: LeasedDelivery) -> bool:
        """Say whether sending again is for a person to decide: a crash left open whether it went out.

        What surely failed after a person decided is not asked about again, though it may still be a repeat.
        """
        hold = self._policy.on_uncertain is OnUncertain.HOLD
        return hold and leased.in_doubt and self._receiver.dedup is not Dedup.BY_ID

    def _heed(self, outcome: Outcome) -> None:
        if isinstance(outcome, TryLater | Uncertain) and outcome.after_seconds is not None:
            wish = min(outcome.after_seconds, self._policy.max_retry.total_seconds())
            self._pace.pause(self._clock.monotonic(), wish)

    async def _settle(self, leased: LeasedDelivery, decided: Verdict, outcome: Outcome | LookupResult) -> None:
        settlement = Settlement(
            verdict=decided,
            at=self._clock.utc_now(),
            answer=outcome.answer,
            receipt=outcome.receipt if isinstance(outcome, Delivered | MessageFound) else None,
            signal=signal_of(outcome, leased.request.attempted_at) if decided.state is not State.HELD else None,
        )
        ours = await self._keep(leased, settlement)
        self._observer.settled(self._receiver.name, decided)
        log_settled(self._receiver.name, leased, decided, ours=ours)
        if ours:
            self._unannounced_dead_letters = self._unannounced_dead_letters or decided.state is State.DEAD
            await self._record_signal(settlement.signal)

    async def _record_signal(self, signal: ReceiverSignal | None) -> None:
        if signal is None:
            return
        refuses = signal.health is SignalKind.REFUSES
        if not refuses and self._parked:
            refuses = await self._deliveries.is_parked(self._receiver.name)
        if refuses and not self._parked:
            log.error("receiver.failing", receiver=self._receiver.name, reason=signal.reason, answer=signal.answer)
            self._on_events()
        elif self._parked and not refuses:
            log.info("receiver.recovered", receiver=self._receiver.name)
            self._on_events()
        self._parked = refuses

    async def _keep(self, leased: LeasedDelivery, settlement: Settlement) -> bool:
        """Write what became of an attempt, trying while the lease lasts: for want of a note it would be made again."""
        end = self._clock.monotonic() + LEASE.total_seconds()
        while True:
            try:
                return await self._deliveries.settle(leased, settlement)
            except Exception:
                log.exception("delivery.settle_failed", delivery_id=leased.request.delivery_id)
                if self._stopping.is_set() or self._clock.monotonic() >= end:
                    raise
            await asyncio.sleep(SETTLE_AGAIN_SECONDS)

    async def _note_health(self, leased: LeasedDelivery, outcome: Outcome) -> None:
        """After an outage, make what waited for the receiver due at once instead of at the end of its back-off."""
        if not isinstance(outcome, Delivered):
            self._failing.add(leased.request.delivery_id)
            return
        self._well_at = self._clock.monotonic()
        outage = len(self._failing) >= OUTAGE_SIZE
        self._failing.clear()
        if outage:
            woken = await self._deliveries.wake(self._receiver.name, self._clock.utc_now())
            log.info("receiver.outage_ended", receiver=self._receiver.name, waiting=woken)


def workers(  # noqa: PLR0913 - what each courier is given
    receivers: Mapping[str, Receiver],
    deliveries: Deliveries,
    policy: Policy,
    clock: Clock,
    clock_trust: ClockTrust,
    *,
    observer: Observer = UNOBSERVED,
    paces: dict[str, ChannelPace] | None = None,
    on_events: Callable[[], None] = lambda: None,
) -> dict[str, DeliveryWorker]:
    """Return a courier for each receiver; those of one lane share its pace, also with those made before."""
    paces = {} if paces is None else paces
    made = {}
    for name, receiver in receivers.items():
        pace_key = paces.setdefault(receiver.pace_key, ChannelPace(receiver.pace_seconds, clock.monotonic()))
        made[name] = DeliveryWorker(
            receiver,
            deliveries,
            policy,
            clock,
            pace_key,
            clock_trust=clock_trust,
            observer=observer,
            on_events=on_events,
        )
    return made
