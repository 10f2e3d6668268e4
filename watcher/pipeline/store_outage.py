"""What is done when the store cannot be written: looking stops before the last byte, and it is told from memory.

What is told so is told once to each receiver, and kept in the log. When the store can be written again, the event and
its end are recorded, and the end is told as any other event.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

import structlog

from watcher.core.batch import Batch, IncidentRow, Prerouted
from watcher.core.delivery.model import Delivered, DeliveryRequest, Outcome, Refused, Uncertain
from watcher.core.event import Event, delivery_id
from watcher.core.incidents.advice import store_advice
from watcher.core.incidents.store_event import STORE_SUBJECT, store_failing, store_recovered
from watcher.core.routing.reason import RoutingCode, RoutingReason
from watcher.core.routing.routes import Routes, RoutingDecision, route_event
from watcher.pipeline.observer import UNOBSERVED
from watcher.pipeline.polling.cache import PollCache
from watcher.pipeline.ports import Clock, Observer, Polling, Receiver, WriteHealth

log = structlog.get_logger()

CHECK_SECONDS: Final = 1.0
ATTEMPTS: Final = 5
FIRST_WAIT_SECONDS: Final = 2.0
STOP_SECONDS: Final = 5.0
DISK_FULL: Final = "disk-full"


@dataclass(slots=True)
class Receipts:
    """Who has the present trouble from memory."""

    surely: set[str] = field(default_factory=set)
    perhaps: set[str] = field(default_factory=set)
    """Receivers of which an attempt had no answer, or has none yet."""


class DirectNotifier:
    """Tells an event from memory: each receiver that its route names, a few attempts, nothing written."""

    def __init__(self, receivers: Mapping[str, Receiver], routes: Routes) -> None:
        self._receivers = receivers
        self._routes = routes

    async def notify(self, event: Event, receipts: Receipts) -> None:
        """Tell everybody; ``receipts`` gets the name of each that has it, as soon as it has."""
        names = route_event(event, self._routes.routes).receivers
        await asyncio.gather(*(self._notify(self._receivers[name], event, receipts) for name in names))

    def rest(self, event: Event, receipts: Receipts) -> RoutingDecision:
        """Return whom the route names and nobody could surely tell from memory."""
        whole = route_event(event, self._routes.routes)
        to = tuple(
            replace(recipient, in_doubt=recipient.receiver in receipts.perhaps)
            for recipient in whole.to
            if recipient.receiver not in receipts.surely
        )
        routes = whole.reason.routes if to else ()
        return RoutingDecision(to=to, reason=RoutingReason(code=RoutingCode.SENT_FROM_MEMORY, routes=routes))

    def seal(self, receiver: str, event: Event, receiver_seq: int) -> bytes | None:
        """Return what is kept of the event for a receiver that is told from the store after all."""
        return self._receivers[receiver].seal(event, receiver_seq)

    async def _notify(self, receiver: Receiver, event: Event, receipts: Receipts) -> None:
        may_be_repeat = False
        for attempt in range(1, ATTEMPTS + 1):
            receipts.perhaps.add(receiver.name)
            outcome = await self._attempt(receiver, event, attempt, may_be_repeat=may_be_repeat)
            may_be_repeat = may_be_repeat or isinstance(outcome, Uncertain)
            if isinstance(outcome, Delivered):
                receipts.surely.add(receiver.name)
                return
            if not may_be_repeat:
                receipts.perhaps.discard(receiver.name)
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
            return Uncertain(reason="internal-fault")
        if isinstance(outcome, Delivered):
            log.info("store.failure_notified", **keys)
        else:
            refused = isinstance(outcome, Refused)
            log.warning("store.failure_not_notified", reason=outcome.reason, refused=refused, **keys)
        return outcome


class StoreOutageHandler:
    """Asks once a second whether the store can be written."""

    def __init__(  # noqa: PLR0913 - wired once
        self,
        write_health: WriteHealth,
        cache: PollCache,
        polling: Polling,
        clock: Clock,
        *,
        notifier: DirectNotifier,
        on_events: Callable[[], None],
        observer: Observer = UNOBSERVED,
    ) -> None:
        self._write_health = write_health
        self._cache = cache
        self._polling = polling
        self._clock = clock
        self._notifier = notifier
        self._on_events = on_events
        self._observer = observer
        self._cause: str | None = None
        self._trouble: Event | None = None
        self._notifying: asyncio.Task[None] | None = None
        self._receipts = Receipts()

    @property
    def cause(self) -> str | None:
        """What keeps the store from being written, if anything."""
        return self._cause

    def apply_config(self, notifier: DirectNotifier) -> None:
        """Tell others from here on: the configuration was read anew."""
        self._notifier = notifier

    async def run(self) -> None:
        """Keep watch for ever."""
        try:
            while True:
                try:
                    await self.once()
                except Exception:
                    log.exception("store.check_failed")
                self._observer.progressed("store-check", CHECK_SECONDS)
                await asyncio.sleep(CHECK_SECONDS)
        finally:
            if self._notifying is not None:
                self._notifying.cancel()

    async def once(self) -> None:
        """Notice trouble, or its end."""
        if self._trouble is None:
            cause = await self._write_health.fault(self._clock.monotonic())
            if cause is not None:
                await self._begin(cause)
        elif await self._write_health.recovered(self._clock.utc_now()):
            await self._end(self._trouble)

    async def _begin(self, cause: str) -> None:
        self._cause = cause
        free = await self._write_health.free_bytes()
        if cause == DISK_FULL:
            self._polling.pause()
        log.error(
            "store.write_failed", cause=cause, free_bytes=free, polling=cause != DISK_FULL, remedy=store_advice(cause)
        )
        detail = f"{free:,} bytes are free beside the store"
        seq = self._cache.incident_row(STORE_SUBJECT).seq + 1
        self._trouble = store_failing(cause, detail, self._cache.epoch, seq, self._clock.utc_now())
        self._receipts = Receipts()
        self._notifying = asyncio.create_task(self._notifier.notify(self._trouble, self._receipts))

    async def _end(self, failing: Event) -> None:
        await self._stop_notifying()
        recovered = store_recovered(failing, self._cache.epoch, self._clock.utc_now())
        row = IncidentRow(subject=STORE_SUBJECT, seq=recovered.seq, incident=None)
        # At once: the routes must not see what is told already, and what fails must leave nothing behind.
        prerouted = self._prerouted(failing, recovered)
        await self._cache.commit(Batch(events=(failing, recovered), incident_rows=(row,), prerouted=prerouted))
        self._trouble = self._cause = None
        self._polling.resume()
        self._on_events()
        log.warning("store.recovered", lasted_seconds=recovered.incident and recovered.incident.lasted_seconds)

    def _prerouted(self, failing: Event, recovered: Event) -> Prerouted | None:
        """Return that those who have it are not told again; whom the telling did not reach is told from the store."""
        if not (self._receipts.surely or self._receipts.perhaps):
            return None
        rest = self._notifier.rest(failing, self._receipts)
        return Prerouted(event_id=failing.id, decision=rest, seal=self._notifier.seal, at=recovered.recorded_at)

    async def _stop_notifying(self) -> None:
        notifying, self._notifying = self._notifying, None
        if notifying is not None:
            # An attempt under way should end: whoever it reaches must not be told a second time.
            await asyncio.wait([notifying], timeout=STOP_SECONDS)
            notifying.cancel()
            await asyncio.gather(notifying, return_exceptions=True)
