"""Routing: unrouted events become one sealed delivery for each receiver that their route names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import structlog

from watcher.core.event import Event
from watcher.core.routing.fallback import redirected
from watcher.core.routing.reason import reason_text
from watcher.core.routing.routes import Routes, RoutingDecision, route_event
from watcher.pipeline.observer import UNOBSERVED
from watcher.pipeline.ports import Clock, Observer, Outbox, Receiver
from watcher.pipeline.wakeup import Wake

log = structlog.get_logger()

BATCH = 200
SWEEP_SECONDS = 10.0


class Router:
    """Takes the events that no route has seen and makes their deliveries, in the order of recording."""

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
        self._let_go: list[str | None] = []
        self.wake = Wake()

    def apply_config(self, routes: Routes, receivers: Mapping[str, Receiver]) -> None:
        """Route by other routes from now on; a batch under way ends by those it began with."""
        self._routes = routes
        self._receivers = receivers

    async def run(self) -> None:
        """Route for ever; a ring is only a hint, the sweep finds what was never rung for."""
        while True:
            try:
                await self.drain()
            except Exception:
                # The rows are still unrouted: whatever it was, the next sweep tries again.
                log.exception("routing.failed")
            self._observer.progressed("routing", SWEEP_SECONDS)
            await self.wake.wait(SWEEP_SECONDS)

    async def drain(self) -> int:
        """Route everything there is, let go what waits for that; return how many events that were."""
        routed = 0
        while events := await self._outbox.unrouted(BATCH):
            await self._route(events)
            routed += len(events)
        await self._release()
        return routed

    def let_go(self, group_key: str | None) -> None:
        """Let the open groups of an occasion (``None``: all) go once everything that was recorded is routed."""
        self._let_go.append(group_key)
        self.wake.tick()

    async def _release(self) -> None:
        while self._let_go:
            await self._outbox.release(self._let_go[0], self._clock.utc_now())
            self._let_go.pop(0)
            self._on_routed()

    async def _route(self, events: list[tuple[Event, int]]) -> None:
        receivers = self._receivers
        plans = [
            (event, route_event(event, self._routes.routes, recent, self._routes.flap_limit))
            for event, recent in events
        ]
        plans = await self._redirect(plans, receivers)
        silenced = await self._outbox.enqueue(plans, partial(_seal, receivers), self._clock.utc_now())
        for event, planned in plans:
            self._observer.routed(event)
            if unannounced := planned.reason.not_announced:
                log.error("receiver.not_announced", event_id=event.id, about=event.subject, reason=unannounced)
            _log_routed(event, planned, silenced.get(event.id))
        self._on_routed()

    async def _redirect(
        self, plans: list[tuple[Event, RoutingDecision]], receivers: Mapping[str, Receiver]
    ) -> list[tuple[Event, RoutingDecision]]:
        """Let no receiver be told about itself."""
        if all(event.receiver is None for event, _ in plans):
            return plans
        failing_receivers = await self._outbox.failing_receivers()
        return [(event, redirected(planned, event, tuple(receivers), failing_receivers)) for event, planned in plans]


def _log_routed(event: Event, planned: RoutingDecision, silence: str | None) -> None:
    to, why = list(planned.receivers), reason_text(planned.reason)
    if silence is None:
        log.info("event.routed", event_id=event.id, kind=event.kind, to=to, reason=why)
    else:
        log.info("event.silenced", event_id=event.id, kind=event.kind, to=to, route=why, reason=silence)


def _seal(receivers: Mapping[str, Receiver], receiver: str, event: Event, receiver_seq: int) -> bytes | None:
    try:
        return receivers[receiver].seal(event, receiver_seq)
    except Exception:
        # One event that cannot be rendered must not keep the others from being routed; its delivery
        # goes on without a body, and the receiver's refusal of that is told.
        log.exception("event.render_failed", receiver=receiver, event_id=event.id)
        return None
