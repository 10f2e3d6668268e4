"""Events with their routes and deliveries, as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

from watcher.core.delivery.reason import reason_json
from watcher.core.messages.published import published_event
from watcher.core.messages.reasons import reason_text
from watcher.core.routing.reason import reason_text as routing_text
from watcher.core.timestamps import to_text
from watcher.reports.actions import action_json

if TYPE_CHECKING:
    from watcher.store.views import DeliveryOutcome, EventHistory


def route_text(entry: EventHistory) -> str | None:
    """Write the routes of an event; ``None`` where it is not routed yet."""
    return None if entry.route is None else routing_text(entry.route)


def event_history_json(entry: EventHistory) -> dict[str, object]:
    """Return a stored event with its route and deliveries."""
    return {
        **published_event(entry.event),
        "routed_at": None if entry.routed_at is None else to_text(entry.routed_at),
        "route": route_text(entry),
        "deliveries": [_outcome_json(item) for item in entry.delivery_outcomes],
    }


def _outcome_json(delivery_outcome: DeliveryOutcome) -> dict[str, object]:
    return {
        "receiver": delivery_outcome.receiver,
        "receiver_seq": delivery_outcome.receiver_seq,
        "delivery_id": delivery_outcome.delivery_id,
        "state": delivery_outcome.state.value,
        "reason": reason_text(delivery_outcome.reason),
        "reason_code": reason_json(delivery_outcome.reason),
        "attempts": delivery_outcome.attempts,
        "settled_at": None if delivery_outcome.settled_at is None else to_text(delivery_outcome.settled_at),
        "answer": delivery_outcome.answer,
        "actions": [action_json(action) for action in delivery_outcome.actions],
    }
