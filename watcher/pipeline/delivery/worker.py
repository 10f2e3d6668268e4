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

from watcher.core.delivery.lookup import Finding, Found
from watcher.core.delivery.model import (
    Attempt,
    Claim,
    Claimed,
    Delivered,
    Health,
    OnUncertain,
    Outcome,
    Parcel,
    Policy,
    Repeats,
    Settlement,
    Sign,
    State,
    TryLater,
    Uncertain,
    Verdict,
    verdict,
)
from watcher.core.delivery.receiver_health import sign_of
from watcher.core.event import Event
from watcher.core.health.liveness import RESTING
from watcher.pipeline.clock_trust import ClockDoubt
from watcher.pipeline.delivery.log import log_settled
from watcher.pipeline.delivery.lookup import Inquirer
from watcher.pipeline.delivery.pace import Lane
from watcher.pipeline.observer import UNOBSERVED
from watcher.pipeline.ports import Clock, Deliveries, LooksUp, Observer, Receiver
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


class Courier:
    """Claims what is due for one receiver, makes the attempts, settles each by what came of it."""

    def __init__(  # noqa: PLR0913 - wired once, in couriers
        self,
        receiver: Receiver,
        deliveries: Deliveries,
        policy: Policy,
        clock: Clock,
        lane: Lane,
        *,
        doubt: ClockDoubt,
        observer: Observer = UNOBSERVED,
        on_events: Callable[[], None] = lambda: None,
    ) -> None:
        self._on_events = on_events
        self._parked: bool | None = None
        """Whether the receiver refuses for good; ``None`` until the store was asked."""
        self._may_announce_at = clock.monotonic()
        self._untold_deaths = True
        self._doubt = doubt
        self._observer = observer
        self._loop = f"delivering {receiver.name}"
        self._receiver = receiver
        self._deliveries = deliveries
        self._policy = policy
        self._clock = clock
        self._lane = lane
        self._inquirer = Inquirer(receiver, clock) if isinstance(receiver, LooksUp) else None
        self._failing: set[str] = set()
        self._well_at = self._expired_at = clock.monotonic()
        """When something was last delivered, and when it was last looked for what is too old."""
        self._stopping = asyncio.Event()
        self.wake = Wake()

    def stop(self) -> None:
        """Claim no more; ``run`` ends when the attempts under way have ended."""
        self._stopping.set()
        self.wake.ring()

    async def probe(self) -> None:
        """Try a receiver that refuses for good at once: something about it may have been mended."""
        await self._deliveries.probe(self._receiver.name, self._clock.utc_now())
        self.wake.ring()

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
                if not self._lane.is_paused(self._clock.monotonic()):
                    await self._expire()
                await self._tell_deaths()
                await self.wake.wait(await self._idle_seconds())
            except Exception:
                # Rows that were claimed come back when their lease ends.
                log.exception("deliver.failed", receiver=self._receiver.name)
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
        while not self._lane.is_paused(self._clock.monotonic()) and (batch := await self._claim(due_by)):
            await self._work(batch)

    async def _work(self, batch: Sequence[Claimed]) -> None:
        if self._inquirer is None or not batch[0].in_doubt:
            await asyncio.gather(*(self._attempt(claimed) for claimed in batch))
            return
        for claimed, decided, finding in await self._inquirer.inquire(batch, self._policy_now()):
            await self._settle(claimed, decided, finding)

    async def give_up(self) -> None:
        """End what is too old, also where nothing was tried, and tell what has died; after ``drain``."""
        await self._expire()
        await self._tell_deaths()

    def _is_hopeless(self) -> bool:
        """Say whether nothing was delivered for longer than any wait lasts.

        Else what is too old, after days off or a long pause, may still pass, and waits for its attempt.
        """
        return self._clock.monotonic() - self._well_at > self._policy.max_retry.total_seconds()

    async def _expire(self) -> None:
        self._expired_at = self._clock.monotonic()
        if self._doubt.lasts:
            return
        now = self._clock.utc_now()
        expired: list[str] = []
        while batch := await self._deliveries.expire(self._receiver.name, now - self._policy.give_up_after, now):
            expired += batch
        self._untold_deaths = self._untold_deaths or bool(expired)
        if expired:
            log.error("delivery.expired", receiver=self._receiver.name, count=len(expired), deliveries=expired[:NAMED])

    async def _tell_deaths(self) -> None:
        if self._untold_deaths and self._clock.monotonic() >= self._may_announce_at:
            await self._announce(self._clock.utc_now())

    async def _announce(self, now: datetime) -> None:
        events = await self._deliveries.announce(self._receiver.name, now)
        self._untold_deaths = False
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
        if self._untold_deaths:
            longest = min(longest, max(self._may_announce_at - self._clock.monotonic(), 0.01))
        if due_at is None:
            return longest
        paused = self._lane.wait_seconds(self._clock.monotonic())
        return min(longest, max((due_at - self._clock.utc_now()).total_seconds(), paused, 0.01))

    async def _claim(self, due_by: datetime | None = None) -> list[Claimed]:
        # The lane is waited for before a row is leased, so that a lease never ages in a queue.
        self._observer.turned(self._loop, RESTING)
        async with self._lane.turn:
            if not await self._lane.free(self._clock, self._stopping):
                # Where it is stopping, another configuration may hold: what waits is for those that know it.
                return []
            self._observer.turned(self._loop, LEASE.total_seconds())
            parked = await self._is_parked()
            claim = Claim(
                receiver=self._receiver.name,
                limit=1 if self._lane.pace_seconds or parked else PARALLEL,
                token=secrets.token_hex(8),
                lease=LEASE,
                due_by=due_by,
                looks_up=self._inquirer is not None,
                oldest_only=parked,
            )
            claimed = await self._deliveries.claim(claim, self._seal_group, self._clock.utc_now())
            if claimed and (self._inquirer is None or not claimed[0].in_doubt):
                self._lane.take(self._clock.monotonic())
            return claimed

    def _seal_group(self, entries: Sequence[tuple[Event, int]], also: Sequence[Event]) -> bytes | None:
        try:
            return self._receiver.seal_group(entries, also)
        except Exception:
            # As in routing: a group that cannot be rendered goes on without a body, and its refusal is told.
            log.exception("group.seal_failed", receiver=self._receiver.name, event_id=entries[0][0].id)
            return None

    async def _attempt(self, claimed: Claimed) -> None:
        if self._must_hold(claimed):
            await self._settle(claimed, Verdict(state=State.HELD, reason="may-be-repeat"), Delivered())
            return
        outcome = await self._send(claimed.parcel)
        decided = self._judge(claimed, outcome)
        self._heed(outcome)
        await self._settle(claimed, decided, outcome)
        await self._note_health(claimed, outcome)

    async def _send(self, parcel: Parcel) -> Outcome:
        try:
            return await self._receiver.send(parcel)
        except Exception:
            # A fault of ours in one message must not stop the line; whether anything was sent is not known.
            log.exception("delivery.fault", receiver=self._receiver.name, delivery_id=parcel.delivery_id)
            return Uncertain(reason="internal-fault")

    def _judge(self, claimed: Claimed, outcome: Outcome) -> Verdict:
        attempt = Attempt(
            number=claimed.parcel.attempt,
            created_at=claimed.created_at,
            repeats=self._receiver.repeats,
        )
        unit = random.random()  # noqa: S311 - it spreads waits
        return verdict(outcome, attempt, self._policy_now(), self._clock.utc_now(), unit)

    def _policy_now(self) -> Policy:
        return replace(self._policy, give_up_after=NEVER) if self._doubt.lasts else self._policy

    def _must_hold(self, claimed: Claimed) -> bool:
        """Say whether sending again is for a person to decide: a crash left open whether it went out.

        What surely failed after a person decided is not asked about again, though it may still be a repeat.
        """
        hold = self._policy.on_uncertain is OnUncertain.HOLD
        return hold and claimed.in_doubt and self._receiver.repeats is not Repeats.MARKED

    def _heed(self, outcome: Outcome) -> None:
        if isinstance(outcome, TryLater | Uncertain) and outcome.after_seconds is not None:
            wish = min(outcome.after_seconds, self._policy.max_retry.total_seconds())
            self._lane.pause(self._clock.monotonic(), wish)

    async def _settle(self, claimed: Claimed, decided: Verdict, outcome: Outcome | Finding) -> None:
        settlement = Settlement(
            verdict=decided,
            at=self._clock.utc_now(),
            answer=outcome.answer,
            receipt=outcome.receipt if isinstance(outcome, Delivered | Found) else None,
            sign=sign_of(outcome, claimed.parcel.attempted_at) if decided.state is not State.HELD else None,
        )
        ours = await self._keep(claimed, settlement)
        self._observer.settled(self._receiver.name, decided)
        log_settled(self._receiver.name, claimed, decided, ours=ours)
        if ours:
            self._untold_deaths = self._untold_deaths or decided.state is State.DEAD
            await self._note_sign(settlement.sign)

    async def _note_sign(self, sign: Sign | None) -> None:
        if sign is None:
            return
        refuses = sign.health is Health.REFUSES
        if not refuses and self._parked:
            refuses = await self._deliveries.is_parked(self._receiver.name)
        if refuses and not self._parked:
            log.error("receiver.broken", receiver=self._receiver.name, reason=sign.reason, answer=sign.answer)
            self._on_events()
        elif self._parked and not refuses:
            log.info("receiver.mended", receiver=self._receiver.name)
            self._on_events()
        self._parked = refuses

    async def _keep(self, claimed: Claimed, settlement: Settlement) -> bool:
        """Write what became of an attempt, trying while the lease lasts: for want of a note it would be made again."""
        end = self._clock.monotonic() + LEASE.total_seconds()
        while True:
            try:
                return await self._deliveries.settle(claimed, settlement)
            except Exception:
                log.exception("delivery.not_settled", delivery_id=claimed.parcel.delivery_id)
                if self._stopping.is_set() or self._clock.monotonic() >= end:
                    raise
            await asyncio.sleep(SETTLE_AGAIN_SECONDS)

    async def _note_health(self, claimed: Claimed, outcome: Outcome) -> None:
        """After an outage, make what waited for the receiver due at once instead of at the end of its back-off."""
        if not isinstance(outcome, Delivered):
            self._failing.add(claimed.parcel.delivery_id)
            return
        self._well_at = self._clock.monotonic()
        outage = len(self._failing) >= OUTAGE_SIZE
        self._failing.clear()
        if outage:
            woken = await self._deliveries.wake(self._receiver.name, self._clock.utc_now())
            log.info("receiver.works_again", receiver=self._receiver.name, waiting=woken)


def couriers(  # noqa: PLR0913 - what each courier is given
    receivers: Mapping[str, Receiver],
    deliveries: Deliveries,
    policy: Policy,
    clock: Clock,
    doubt: ClockDoubt,
    *,
    observer: Observer = UNOBSERVED,
    lanes: dict[str, Lane] | None = None,
    on_events: Callable[[], None] = lambda: None,
) -> dict[str, Courier]:
    """Return a courier for each receiver; those of one lane share its pace, also with those made before."""
    lanes = {} if lanes is None else lanes
    made = {}
    for name, receiver in receivers.items():
        lane = lanes.setdefault(receiver.lane, Lane(receiver.pace_seconds, clock.monotonic()))
        made[name] = Courier(
            receiver, deliveries, policy, clock, lane, doubt=doubt, observer=observer, on_events=on_events
        )
    return made
