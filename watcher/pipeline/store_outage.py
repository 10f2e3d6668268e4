"""Handle a store that cannot be written: pause polling before the disk is full, and notify receivers from memory.

Each receiver is notified once. When the store can be written again, the failure and its end are recorded together.
Receivers that were not reached are notified from the store, and the end is routed as any other event.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

import structlog

from watcher.core.batch import Batch, IncidentRow
from watcher.core.delivery.model import Delivered, DeliveryRequest, Outcome, Refused, Uncertain
from watcher.core.delivery.reason import INTERNAL_FAULT
from watcher.core.delivery.receiver import Receiver
from watcher.core.event import Event, after_restore, delivery_id
from watcher.core.incidents.store_event import STORE_SUBJECT, store_failing, store_recovered
from watcher.core.messages.advice import store_advice
from watcher.core.messages.reasons import reason_text
from watcher.core.observer import UNOBSERVED, Observer
from watcher.core.routing.planning import RoutingPlan, plan_deliveries
from watcher.core.routing.reason import RoutingCode, RoutingReason
from watcher.core.routing.routes import Routes, RoutingDecision, route_event
from watcher.pipeline.delivery_ports import Outbox
from watcher.pipeline.polling.cache import PollCache
from watcher.pipeline.ports import Clock, Polling, WriteHealth
from watcher.pipeline.repeated import until_current

log = structlog.get_logger()

CHECK_SECONDS: Final = 1.0
"""The store is checked so long after a write began, and so often while it cannot be written."""
IDLE_SECONDS: Final = 5.0
"""Without a write, the store is checked so often."""
ATTEMPTS: Final = 5
FIRST_WAIT_SECONDS: Final = 2.0
STOP_SECONDS: Final = 5.0
DISK_FULL: Final = "disk-full"
REMOVED: Final = "store-removed"
REMIND_SECONDS: Final = 60.0
"""The log names a failure, or a fault of the check, once in so many seconds."""


@dataclass(slots=True)
class Receipts:
    """The receivers that were notified of the current failure from memory."""

    notified: set[str] = field(default_factory=set)
    uncertain: set[str] = field(default_factory=set)
    """Receivers that did not answer an attempt, or have not answered yet."""


class DirectNotifier:
    """Notifies the receivers of an event's route from memory, with a few attempts and without a write."""

    def __init__(self, receivers: Mapping[str, Receiver], routes: Routes) -> None:
        self._receivers = receivers
        self._routes = routes

    async def notify(self, event: Event, receipts: Receipts) -> None:
        """Notify every receiver of the route; ``receipts`` gets each name as soon as the receiver has the event."""
        names = route_event(event, self._routes.routes).receivers
        await asyncio.gather(*(self._notify(self._receivers[name], event, receipts) for name in names))

    def remaining(self, event: Event, receipts: Receipts) -> RoutingDecision:
        """Return the route to the receivers that were not certainly notified from memory."""
        full = route_event(event, self._routes.routes)
        to = tuple(
            replace(recipient, in_doubt=recipient.receiver in receipts.uncertain)
            for recipient in full.to
            if recipient.receiver not in receipts.notified
        )
        routes = full.reason.routes if to else ()
        return RoutingDecision(to=to, reason=RoutingReason(code=RoutingCode.SENT_FROM_MEMORY, routes=routes))

    def render(self, receiver: str, event: Event, receiver_seq: int) -> bytes | None:
        """Render the event for a receiver that is notified from the store."""
        return self._receivers[receiver].seal(event, receiver_seq)

    async def _notify(self, receiver: Receiver, event: Event, receipts: Receipts) -> None:
        may_be_repeat = False
        for attempt in range(1, ATTEMPTS + 1):
            receipts.uncertain.add(receiver.name)
            outcome = await self._attempt(receiver, event, attempt, may_be_repeat=may_be_repeat)
            may_be_repeat = may_be_repeat or isinstance(outcome, Uncertain)
            if isinstance(outcome, Delivered):
                receipts.notified.add(receiver.name)
                return
            if not may_be_repeat:
                receipts.uncertain.discard(receiver.name)
            await asyncio.sleep(FIRST_WAIT_SECONDS * 2 ** (attempt - 1))

    async def _attempt(self, receiver: Receiver, event: Event, attempt: int, *, may_be_repeat: bool) -> Outcome:
        keys = {"receiver": receiver.name, "event_id": event.id, "attempt": attempt}
        try:
            request = DeliveryRequest(
                delivery_id=delivery_id((event.id,), receiver.name),
                events=(event,),
                body=receiver.seal(event, 1),
                attempt=attempt,
                may_be_repeat=may_be_repeat,
            )
            outcome = await receiver.send(request)
        except Exception:
            log.exception("store.failure_not_notified", **keys)
            return Uncertain(reason=INTERNAL_FAULT)
        if isinstance(outcome, Delivered):
            log.info("store.failure_notified", **keys)
        else:
            refused = isinstance(outcome, Refused)
            log.warning("store.failure_not_notified", reason=reason_text(outcome.reason), refused=refused, **keys)
        return outcome


class StoreOutageHandler:
    """Checks whether the store can be written: a second after each write, and every five seconds without one."""

    def __init__(  # noqa: PLR0913 - wired once
        self,
        write_health: WriteHealth,
        cache: PollCache,
        outbox: Outbox,
        polling: Polling,
        clock: Clock,
        *,
        notifier: DirectNotifier,
        on_events: Callable[[], None],
        observer: Observer = UNOBSERVED,
    ) -> None:
        self._write_health = write_health
        self._cache = cache
        self._outbox = outbox
        self._polling = polling
        self._clock = clock
        self._notifier = notifier
        self._on_events = on_events
        self._observer = observer
        self._cause: str | None = None
        self._failure: Event | None = None
        self._notifying: asyncio.Task[None] | None = None
        self._receipts = Receipts()
        self._logged_at = -math.inf

    @property
    def cause(self) -> str | None:
        """The cause that keeps the store from being written, if any."""
        return self._cause

    def apply_config(self, notifier: DirectNotifier) -> None:
        """Notify by another configuration from now on."""
        self._notifier = notifier

    async def run(self) -> None:
        """Check the store forever."""
        try:
            while True:
                try:
                    await self.once()
                except Exception:
                    if self._may_log():
                        log.exception("store.check_failed")
                await self._wait()
        finally:
            if self._notifying is not None:
                self._notifying.cancel()

    async def _wait(self) -> None:
        """Wait for the next check."""
        self._observer.progressed("store-check", IDLE_SECONDS)
        if self._failure is not None or await self._write_health.until_write(IDLE_SECONDS):
            self._observer.progressed("store-check", CHECK_SECONDS)
            await asyncio.sleep(CHECK_SECONDS)

    async def once(self) -> None:
        """Check the store once: notice a failure, or its end."""
        if self._failure is None:
            cause = await self._write_health.fault(self._clock.monotonic())
            if cause is not None:
                await self._begin(cause)
        elif await self._write_health.recovered(self._clock.utc_now()):
            await self._end(self._failure)
        elif self._may_log():
            log.error("store.still_failing", cause=self._cause, remedy=store_advice(self._cause or ""))

    def _may_log(self) -> bool:
        now = self._clock.monotonic()
        if now - self._logged_at < REMIND_SECONDS:
            return False
        self._logged_at = now
        return True

    async def _begin(self, cause: str) -> None:
        self._cause = cause
        self._logged_at = self._clock.monotonic()
        free = await self._write_health.free_bytes()
        if cause == DISK_FULL:
            self._polling.pause()
        log.error(
            "store.write_failed", cause=cause, free_bytes=free, polling=cause != DISK_FULL, remedy=store_advice(cause)
        )
        detail = "the file is gone" if cause == REMOVED else f"{free:,} bytes are free beside the store"
        seq = self._cache.incident_row(STORE_SUBJECT).seq + 1
        self._failure = store_failing(cause, detail, self._cache.epoch, seq, self._clock.utc_now())
        self._receipts = Receipts()
        self._notifying = asyncio.create_task(self._notifier.notify(self._failure, self._receipts))

    async def _end(self, failure: Event) -> None:
        await self._stop_notifying()
        recovered = store_recovered(failure, self._cache.epoch, self._clock.utc_now())
        # Both events and the route of the first in one transaction: the router must not route it again, and a failed
        # write must leave nothing behind.
        await until_current(lambda: self._record(failure, recovered))
        self._failure = self._cause = None
        self._polling.resume()
        self._on_events()
        log.warning("store.recovered", lasted_seconds=recovered.incident and recovered.incident.lasted_seconds)

    async def _record(self, failure: Event, recovered: Event) -> None:
        row = IncidentRow(subject=STORE_SUBJECT, seq=recovered.seq, incident=None)
        prerouted = await self._plan(failure, recovered)
        await self._cache.commit(Batch(events=(failure, recovered), incident_rows=(row,), prerouted=prerouted))

    async def _plan(self, failure: Event, recovered: Event) -> RoutingPlan | None:
        """Return the deliveries to receivers that were not certainly notified; ``None`` if none was notified."""
        if not (self._receipts.notified or self._receipts.uncertain):
            return None
        decision, now = self._notifier.remaining(failure, self._receipts), recovered.recorded_at
        state = await self._outbox.state(decision.receivers, (failure.subject,), now)
        marked = after_restore(failure, self._outbox.restore)
        return plan_deliveries([(marked, decision)], state, self._notifier.render, now)

    async def _stop_notifying(self) -> None:
        notifying, self._notifying = self._notifying, None
        if notifying is not None:
            # Let a running attempt end: its receiver must not be notified a second time.
            await asyncio.wait([notifying], timeout=STOP_SECONDS)
            notifying.cancel()
            await asyncio.gather(notifying, return_exceptions=True)
