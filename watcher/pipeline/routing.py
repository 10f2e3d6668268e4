"""Route recorded events: decide their receivers, silences and texts, then write a delivery for each receiver."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

import structlog

from watcher.core.delivery.receiver import Receiver
from watcher.core.event import Event
from watcher.core.observer import UNOBSERVED, Observer
from watcher.core.routing.fallback import fallback_decisions, redirected
from watcher.core.routing.planning import OutboxState, RoutedEvent, RoutingPlan, plan_deliveries
from watcher.core.routing.reason import reason_text
from watcher.core.routing.routes import Routes, RoutingDecision, route_event
from watcher.pipeline.delivery_ports import Outbox
from watcher.pipeline.ports import Clock
from watcher.pipeline.repeated import until_current
from watcher.pipeline.wakeup import Wake

log = structlog.get_logger()

BATCH: Final = 500
"""Events of one transaction, so that a long one delays no poll."""
SWEEP_SECONDS: Final = 10.0
"""After a fault, the rest is routed so much later."""
IDLE_SECONDS: Final = 60.0
"""Events whose wake-up was lost are looked for so often."""


class Router:
    """Routes unrouted events in the order of recording."""

    def __init__(  # noqa: PLR0913 - each is a port or a setting, wired once
        self,
        outbox: Outbox,
        routes: Routes,
        receivers: Mapping[str, Receiver],
        clock: Clock,
        on_routed: Callable[[], None],
        *,
        observer: Observer = UNOBSERVED,
    ) -> None:
        self._outbox = outbox
        self._routes = routes
        self._receivers = receivers
        self._clock = clock
        self._on_routed = on_routed
        self._observer = observer
        self._to_release: list[str | None] = []
        self.wake = Wake()

    def apply_config(self, routes: Routes, receivers: Mapping[str, Receiver]) -> None:
        """Use other routes from now on; a running batch keeps the old ones."""
        self._routes = routes
        self._receivers = receivers

    async def run(self) -> None:
        """Route forever; a wake-up is only a hint, the sweep finds every unrouted event."""
        while True:
            self._observer.progressed("routing", SWEEP_SECONDS)
            longest = IDLE_SECONDS
            try:
                await self.drain()
            except Exception:
                # The events are still unrouted, and the next sweep tries again.
                log.exception("routing.failed")
                longest = SWEEP_SECONDS
            self._observer.progressed("routing", longest)
            await self.wake.wait(longest)

    async def drain(self) -> int:
        """Route every unrouted event, then release the groups that waited for that; return the number of events."""
        routed = 0
        while batch := await until_current(self._route_batch):
            routed += batch
        while await until_current(self._route_fallbacks):
            pass
        await self._release()
        return routed

    def release(self, group_key: str | None) -> None:
        """Release the open groups of a catch-up (``None``: all groups) once every recorded event is routed."""
        self._to_release.append(group_key)
        self.wake.tick()

    async def _release(self) -> None:
        while self._to_release:
            await self._outbox.release(self._to_release[0], self._clock.utc_now())
            # Removed after the write, so that a failed one is repeated.
            self._to_release.pop(0)
            self._on_routed()

    async def _route_batch(self) -> int:
        events = await self._outbox.unrouted(BATCH)
        if not events:
            return 0
        # Taken together before the first await: a reload meanwhile must not mix old and new.
        receivers, routes, now = self._receivers, self._routes, self._clock.utc_now()
        state = await self._outbox.state(tuple(receivers), {event.subject for event, _ in events}, now)
        decisions = [(event, _decide(event, recent, routes, tuple(receivers), state)) for event, recent in events]
        # In a thread: the texts of a long batch would hold up the polls. No transaction is open meanwhile.
        plan = await asyncio.to_thread(plan_deliveries, decisions, state, partial(_render, receivers), now)
        await self._outbox.enqueue(plan)
        self._report(plan)
        return len(events)

    async def _route_fallbacks(self) -> int:
        """Send urgent events that wait for a failing receiver to its fallback; return their number.

        Each goes there once, also where the receiver fails again: the ledger has one entry an event and receiver.
        """
        receivers, routes, now = self._receivers, self._routes, self._clock.utc_now()
        fallbacks = {name: to for name, to in routes.fallbacks.items() if to in receivers}
        if not fallbacks or not (items := await self._outbox.fallbacks_due(fallbacks, BATCH)):
            return 0
        items = list({(item.event.id, item.fallback): item for item in items}.values())
        state = await self._outbox.state(tuple(receivers), {item.event.subject for item in items}, now)
        decisions = fallback_decisions(items)
        plan = await asyncio.to_thread(plan_deliveries, decisions, state, partial(_render, receivers), now)
        await self._outbox.enqueue_fallbacks(plan)
        for item in items:
            log.warning("event.sent_to_fallback", event_id=item.event.id, to=item.fallback, of=item.event.fallback_for)
        self._on_routed()
        return len(items)

    def _report(self, plan: RoutingPlan) -> None:
        for routed in plan.events:
            event, why = routed.event, routed.reason.not_announced
            self._observer.routed(event)
            if why is not None:
                log.error("receiver.not_announced", event_id=event.id, about=event.subject, reason=why)
            _log_routed(routed)
        self._on_routed()


def _decide(
    event: Event, recent: int, routes: Routes, receivers: tuple[str, ...], state: OutboxState
) -> RoutingDecision:
    """Return the route of an event; an event about a receiver never goes to that receiver."""
    decision = route_event(event, routes.routes, recent, routes.flap_limit)
    if event.receiver is not None and (fallback := routes.fallbacks.get(event.receiver.name)) in receivers:
        # Where another receiver must stand in for this one, its fallback comes first.
        receivers = (str(fallback), *(name for name in receivers if name != fallback))
    return redirected(decision, event, receivers, state.failing_receivers)


def _log_routed(routed: RoutedEvent) -> None:
    event, route = routed.event, reason_text(routed.reason)
    to = [planned.recipient.receiver for planned in routed.deliveries]
    if routed.silence is None:
        log.info("event.routed", event_id=event.id, kind=event.kind, to=to, reason=route)
    else:
        log.info("event.silenced", event_id=event.id, kind=event.kind, to=to, route=route, reason=routed.silence)


def _render(receivers: Mapping[str, Receiver], receiver: str, event: Event, receiver_seq: int) -> bytes | None:
    try:
        return receivers[receiver].seal(event, receiver_seq)
    except Exception:
        # One event that cannot be rendered must not hold up the others. Its delivery has no body, and the
        # receiver's refusal of that is announced.
        log.exception("event.render_failed", receiver=receiver, event_id=event.id)
        return None
