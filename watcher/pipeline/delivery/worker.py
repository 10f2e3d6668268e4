"""Deliver to one receiver: each has its own worker, so that a failing one delays no other."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from typing import Final

import structlog

from watcher.core.delivery.model import Claim, Dedup, LeasedDelivery, Policy
from watcher.core.delivery.receiver import Receiver
from watcher.core.health.liveness import UNBOUNDED
from watcher.core.observer import UNOBSERVED, Observer
from watcher.pipeline.clock_trust import ClockTrust
from watcher.pipeline.dead_letters import announce_dead_letters
from watcher.pipeline.delivery.attempt import LEASE, AttemptRunner, DeliveryParts
from watcher.pipeline.delivery.pace import ChannelPace
from watcher.pipeline.delivery.pool import AttemptPool
from watcher.pipeline.delivery.receiver_monitor import ReceiverMonitor
from watcher.pipeline.delivery_ports import Deliveries
from watcher.pipeline.expiry import expire
from watcher.pipeline.ports import Clock
from watcher.pipeline.repeated import until_current
from watcher.pipeline.wakeup import Wake

log = structlog.get_logger()

SWEEP_SECONDS: Final = 10.0
"""While something waits, it is looked for so often."""
IDLE_SECONDS: Final = 60.0
"""While nothing waits, a delivery whose wake-up was lost is looked for so often."""
PARALLEL: Final = 4
"""Attempts at a time at a receiver without a pace, each of another line."""
PARALLEL_FAST: Final = 128
"""The same while it answers fast, if it recognises a repeat: a crash leaves nothing in doubt there.

Most of them wait for a connection, so that one lease and one settlement serve many.
"""
FAST_SECONDS: Final = 0.25
"""Answers that take longer are those of a receiver that may have as many requests as it can take."""
TOGETHER_SECONDS: Final = 0.05
"""The longest wait for further attempts to end, before the next are leased in the places of all of them."""
RECHECK_SECONDS: Final = 1.0
"""Beside attempts that take longer, due deliveries are looked for so often."""
ANNOUNCE_SECONDS: Final = 60.0
"""Dead letters of one receiver are announced at most so often, later ones together."""
FAILURE_CHECK_SECONDS: Final = 10.0
EXPIRY_SECONDS: Final = 10.0
"""Old deliveries are looked for at most so often, since that reads everything that waits."""
NAMED: Final = 20
"""Deliveries that one log line names."""


class DeliveryWorker:
    """Leases the due deliveries of one receiver, has them attempted, and expires old ones."""

    def __init__(self, parts: DeliveryParts) -> None:
        self._parts = parts
        self._name = parts.receiver.name
        self._deliveries = parts.deliveries
        self._clock = parts.clock
        self._pace = parts.pace
        self._loop = f"delivering {self._name}"
        self._stopping = asyncio.Event()
        self._monitor = ReceiverMonitor(self._name, parts.deliveries, parts.policy.give_up_after)
        self._attempts = AttemptRunner(parts, self._monitor, self._stopping)
        self._may_announce_at = self._expire_at = parts.clock.monotonic()
        self.wake = Wake()

    def stop(self) -> None:
        """Lease no more; ``run`` ends when the running attempts have ended."""
        self._stopping.set()
        self.wake.tick()

    async def probe(self) -> None:
        """Try a permanently failing receiver at once, since its fault may have been fixed."""
        await self._deliveries.probe(self._name, self._clock.utc_now())
        self.wake.tick()

    async def run(self) -> None:
        """Deliver until ``stop``."""
        watch = asyncio.create_task(self._watch_failure())
        try:
            await self._run()
        finally:
            watch.cancel()
            await asyncio.gather(watch, return_exceptions=True)
            self._parts.observer.ended(self._loop)

    async def _watch_failure(self) -> None:
        """Notice a receiver without a success, also while its channel is paused or an attempt hangs."""
        while not self._stopping.is_set():
            try:
                await self.check_failure()
            except Exception:
                log.exception("delivery.loop_failed", receiver=self._name)
            await asyncio.sleep(FAILURE_CHECK_SECONDS)

    async def check_failure(self) -> None:
        """Record that the receiver is failing, if it has had no success for ``failing_after``."""
        if not self._parts.clock_trust.trusted:
            return
        after = self._parts.policy.failing_after
        declare = partial(self._monitor.declare_failing, after, self._clock.utc_now())
        self._attempts.report(await until_current(declare))

    async def _run(self) -> None:
        # Operators fix a receiver by a restart or a reload, and both make a new worker.
        to_probe = True
        while not self._stopping.is_set():
            try:
                if to_probe:
                    await self.probe()
                    to_probe = False
                await self.drain()
                due_at = await self._next_due()
                if due_at is not None and self._may_expire():
                    await self._expire()
                    due_at = await self._next_due()
                await self._announce_dead_letters()
                await self._wait(self._idle_seconds(due_at))
            except Exception:
                # Leased deliveries become due again when their lease ends.
                log.exception("delivery.loop_failed", receiver=self._name)
                await self._wait(SWEEP_SECONDS)

    async def _wait(self, seconds: float) -> None:
        # A wait for running attempts may have taken the wake-up of ``stop``.
        if not self._stopping.is_set():
            await self.wake.wait(seconds)

    async def drain(self) -> None:
        """Attempt everything that is due or becomes due meanwhile; a long pause of the receiver ends this."""
        await self._attempt_due(self._stopping.is_set)

    async def sweep(self) -> None:
        """Attempt everything once that is due now; postponed deliveries wait for another run."""
        due_by = self._clock.utc_now()
        await self._attempt_due(lambda: self._pace.is_paused(self._clock.monotonic()), due_by)

    async def _attempt_due(self, is_over: Callable[[], bool], due_by: datetime | None = None) -> None:
        pool = AttemptPool(on_end=self.wake.tick)
        try:
            while await self._start_due(pool, is_over, due_by):
                pool.check()
                if self._is_hopeless() and self._clock.monotonic() >= self._expire_at:
                    await self._expire()
        except Exception:
            # The others are sent already, and settle themselves.
            await pool.finish()
            raise
        except BaseException:
            await pool.cancel()
            raise
        pool.check()

    async def _start_due(self, pool: AttemptPool, is_over: Callable[[], bool], due_by: datetime | None) -> bool:
        """Start as many attempts as may run beside the running ones, then wait; ``False`` when nothing is left."""
        places, were_running = await self._places(), len(pool)
        free = places - were_running
        batch = [] if is_over() or free <= 0 else await self._claim(free, due_by)
        if batch and self._attempts.is_lookup(batch):
            await self._attempts.look_up(batch)
            return True
        for leased in batch:
            pool.start(self._attempts.attempt(leased))
        if not len(pool):
            # One that ended while we leased may have made the next of its line due.
            return were_running > 0
        if len(batch) < free:
            # No other one is due now.
            await self.wake.wait(RECHECK_SECONDS)
        else:
            await self._wait_for_places(pool, places)
        return True

    async def _wait_for_places(self, pool: AttemptPool, places: int) -> None:
        """Wait until an attempt ends, and a moment for more of them: one lease of several costs less than several."""
        await self.wake.wait(SWEEP_SECONDS)
        end = self._clock.monotonic() + TOGETHER_SECONDS
        while len(pool) > places // 2 and (left := end - self._clock.monotonic()) > 0:
            await self.wake.wait(left)

    async def _places(self) -> int:
        """Return how many attempts may run at a time."""
        receiver = self._parts.receiver
        if self._pace.pace_seconds or receiver.batch_max > 1 or await self._monitor.is_parked():
            return 1
        fast = receiver.dedup is Dedup.BY_ID and self._attempts.slowest_seconds <= FAST_SECONDS
        return PARALLEL_FAST if fast else PARALLEL

    async def finish(self) -> None:
        """Expire old deliveries, also those that were never tried, and announce dead letters; after ``sweep``."""
        await self.check_failure()
        await self._expire()
        await self._announce_dead_letters()

    def _may_expire(self) -> bool:
        now = self._clock.monotonic()
        return not self._pace.is_paused(now) and now >= self._expire_at

    def _is_hopeless(self) -> bool:
        """Say whether no delivery has arrived for longer than any wait lasts.

        Otherwise an old delivery may still arrive, after a weekend or a long pause, and waits for its attempt.
        """
        seconds = self._clock.monotonic() - self._attempts.last_success_at
        return seconds > self._parts.policy.max_retry.total_seconds()

    async def _expire(self) -> None:
        self._expire_at = self._clock.monotonic() + EXPIRY_SECONDS
        if not self._parts.clock_trust.trusted:
            return
        now = self._clock.utc_now()
        expired: list[str] = []
        while batch := await expire(self._deliveries, self._name, now - self._parts.policy.give_up_after, now):
            expired += batch
        self._attempts.has_dead_letters = self._attempts.has_dead_letters or bool(expired)
        if expired:
            log.error("delivery.expired", receiver=self._name, count=len(expired), deliveries=expired[:NAMED])

    async def _announce_dead_letters(self) -> None:
        if not self._attempts.has_dead_letters or self._clock.monotonic() < self._may_announce_at:
            return
        events = await announce_dead_letters(self._deliveries, self._name, self._clock.utc_now())
        self._attempts.has_dead_letters = False
        if events:
            # Dead letters that follow soon go into one further message.
            self._may_announce_at = self._clock.monotonic() + ANNOUNCE_SECONDS
            self._parts.on_events()

    async def _next_due(self) -> datetime | None:
        """Return the next time that something is to be done about a delivery; ``None`` while nothing waits."""
        return await self._deliveries.next_due(self._name, oldest_only=await self._monitor.is_parked())

    def _idle_seconds(self, due_at: datetime | None) -> float:
        longest = IDLE_SECONDS if due_at is None else SWEEP_SECONDS
        if self._attempts.has_dead_letters:
            longest = min(longest, max(self._may_announce_at - self._clock.monotonic(), 0.01))
        if due_at is None:
            return longest
        paused = self._pace.wait_seconds(self._clock.monotonic())
        return min(longest, max((due_at - self._clock.utc_now()).total_seconds(), paused, 0.01))

    async def _claim(self, limit: int, due_by: datetime | None) -> list[LeasedDelivery]:
        self._parts.observer.progressed(self._loop, UNBOUNDED)
        # The channel first, then the lease: a lease must not age while it waits for the channel.
        async with self._pace.in_use:
            if not await self._pace.free(self._clock, self._stopping):
                # A worker that stops may have an old configuration: the rest is for its successor.
                return []
            self._parts.observer.progressed(self._loop, LEASE.total_seconds())
            leased = await self._deliveries.claim(await self._claim_for(limit, due_by), self._clock.utc_now())
            if leased and not self._attempts.is_lookup(leased):
                self._pace.take(self._clock.monotonic())
            return await self._attempts.with_bodies(leased)

    async def _claim_for(self, limit: int, due_by: datetime | None) -> Claim:
        return Claim(
            receiver=self._name,
            limit=limit,
            token=secrets.token_hex(8),
            lease=LEASE,
            due_by=due_by,
            by_lookup=self._attempts.lookup_runner is not None,
            batch_max=self._parts.receiver.batch_max,
            oldest_only=await self._monitor.is_parked(),
        )


def workers(  # noqa: PLR0913 - the parts of a worker, given once
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
    """Return a worker for each receiver; receivers of one channel share its pace, also with earlier workers."""
    paces = {} if paces is None else paces
    made = {}
    for name, receiver in receivers.items():
        pace = paces.setdefault(receiver.pace_key, ChannelPace(receiver.pace_seconds, clock.monotonic()))
        parts = DeliveryParts(
            receiver=receiver,
            deliveries=deliveries,
            policy=policy,
            clock=clock,
            clock_trust=clock_trust,
            pace=pace,
            observer=observer,
            on_events=on_events,
        )
        made[name] = DeliveryWorker(parts)
    return made
