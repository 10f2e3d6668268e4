"""Deliveries as JSON, and their short description."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from watcher.core.delivery.reason import NO_REASON, Context, Reason, in_context, reason_json
from watcher.core.event import Event
from watcher.core.messages.message import PLAIN_STYLE, Style
from watcher.core.messages.reasons import reason_text
from watcher.core.messages.training import compose, plain_text
from watcher.core.timestamps import to_text
from watcher.reports.actions import action_json

if TYPE_CHECKING:
    from watcher.store.delivery.views import DeliveryView


def events_text(events: Sequence[Event], style: Style = PLAIN_STYLE) -> str:
    """Describe the events of a delivery: the title of the first, and the number of others."""
    if not events:
        return ""
    more = f" and {len(events) - 1} more" if len(events) > 1 else ""
    return f"{plain_text(compose(events[0], style).title)}{more}"


def shown_reason(delivery: DeliveryView) -> Reason:
    """Return the reason of a delivery; while it only waits behind others, that of its failing receiver."""
    return waiting_reason(delivery.reason, delivery.receiver_reason)


def waiting_reason(own: Reason, of_receiver: Reason) -> Reason:
    """Return the reason of a delivery, or that of its failing receiver where it has none of its own."""
    if own != NO_REASON or of_receiver == NO_REASON:
        return own
    return in_context(Context.RECEIVER_FAILING, of_receiver)


def delivery_json(delivery: DeliveryView) -> dict[str, object]:
    """Return a delivery for programs."""
    reason = shown_reason(delivery)
    return {
        "id": delivery.id,
        "receiver": delivery.receiver,
        "state": delivery.state.value,
        "reason": reason_text(reason),
        "reason_code": reason_json(reason),
        "answer": delivery.answer,
        "attempts": delivery.attempts,
        "may_be_repeat": delivery.may_be_repeat,
        "created_at": to_text(delivery.created_at),
        "attempted_at": _time_json(delivery.attempted_at),
        "next_at": _time_json(delivery.next_at),
        "settled_at": _time_json(delivery.settled_at),
        "about": events_text(delivery.events),
        "event_ids": [event.id for event in delivery.events],
        "actions": [action_json(action) for action in delivery.actions],
    }


def _time_json(time: datetime | None) -> str | None:
    return None if time is None else to_text(time)
