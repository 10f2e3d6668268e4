"""The trail of an event: why each receiver was notified of it or not, in the order in which the watcher decided."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from watcher.core.delivery.reason import NO_REASON, Reason
from watcher.core.delivery.state import State
from watcher.core.event import Event
from watcher.core.routing.reason import RoutingReason
from watcher.core.routing.routes import Group, Route, matching_routes, route_event
from watcher.core.routing.silence import Silence
from watcher.reports.deliveries import waiting_reason
from watcher.reports.route import TriedRoute, tried_routes

if TYPE_CHECKING:
    from watcher.store.delivery.views import SentDelivery
    from watcher.store.views import DeliveryOutcome, EventHistory


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryTrail:
    """The delivery of an event to one receiver."""

    outcome: DeliveryOutcome
    sent: SentDelivery | None
    """Its times; ``None`` where they were not read."""
    silence: Silence | None = None
    """The silence that stopped it; ``None`` where none did, or it is no longer in the store."""

    @property
    def reason(self) -> Reason:
        """Why it ended or waits; while it only waits behind others, the reason of its failing receiver."""
        return waiting_reason(self.outcome.reason, NO_REASON if self.sent is None else self.sent.receiver_reason)

    @property
    def notifies(self) -> bool:
        """Whether the receiver is notified, now or later."""
        return self.outcome.state not in {State.SILENCED, State.DROPPED}


@dataclass(frozen=True, slots=True, kw_only=True)
class Trail:
    """Everything that is recorded about the notifications of an event."""

    event: Event
    reason: RoutingReason | None
    """``None`` where the event is not routed yet."""
    routes: Sequence[TriedRoute] = field(default=())
    """The routes of the present configuration; empty where those took other events when the event was routed."""
    group: Group | None = None
    """The group that the event joins; ``None`` where it is sent alone, or that is not known any more."""
    recent: int = 1
    """The number of events of its subject within the hour before it, itself included."""
    deliveries: Sequence[DeliveryTrail] = ()

    @property
    def notifies(self) -> bool:
        """Whether any receiver is notified, now or later."""
        return any(item.notifies for item in self.deliveries)

    @property
    def shares_a_message(self) -> bool:
        """Whether a message about it is about other events, too."""
        return any(item.sent is not None and item.sent.events > 1 for item in self.deliveries)

    @property
    def silence(self) -> Silence | None:
        """The silence that stopped it; ``None`` where none did, or it is no longer in the store."""
        return next((item.silence for item in self.deliveries if item.silence is not None), None)

    @property
    def is_silenced(self) -> bool:
        """Whether a silence stopped it."""
        return any(item.outcome.state is State.SILENCED for item in self.deliveries)


def trail_of(  # noqa: PLR0913, PLR0917 - the facts of one event
    entry: EventHistory,
    routes: Sequence[Route],
    flap_limit: int,
    recent: int,
    sent: dict[str, SentDelivery],
    silences: dict[str, Silence],
) -> Trail:
    """Return the trail of an event.

    The store has the numbers of the routes that took the event, and not why the others did not. That follows from the
    present configuration, as long as the same routes take the event there.

    Args:
        entry: the event with its deliveries.
        routes: the routes of the present configuration.
        flap_limit: the number of events of a subject in an hour that get a message of their own.
        recent: the number of events of its subject within the hour before it, itself included.
        sent: the times of its deliveries, by id.
        silences: the silences of its deliveries, by id.
    """
    event, reason = entry.event, entry.route
    unchanged = reason is not None and reason.routes == tuple(item.number for item in matching_routes(event, routes))
    planned = route_event(event, routes, recent, flap_limit) if unchanged else None
    return Trail(
        event=event,
        reason=reason,
        routes=tuple(tried_routes(event, routes)) if unchanged else (),
        group=None if planned is None else next((to.group for to in planned.to if to.group is not None), None),
        recent=recent,
        deliveries=tuple(
            DeliveryTrail(
                outcome=item,
                sent=sent.get(item.delivery_id),
                silence=silences.get(item.reason.detail) if item.state is State.SILENCED else None,
            )
            for item in entry.delivery_outcomes
        ),
    )
