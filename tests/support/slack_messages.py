"""Convert the messages of a local Slack into arrivals for the invariant checker."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final, Protocol

from tests.support.servers import Received
from watcher.core.event import Event
from watcher.receivers.payload import render_body, render_group
from watcher.store.views import EventHistory

DELIVERY: Final = re.compile(r"^Delivery `(msg_\w+)`$", re.MULTILINE)


class Channel(Protocol):
    """A local Slack."""

    messages: list[dict[str, Any]]


def as_received(slack: Channel, receiver: str, announced: Sequence[EventHistory]) -> list[Received]:
    """Return the bot's messages, each as the webhook with the same events and id."""
    known = {item.event.id: item for item in announced}
    return [_as_webhook(message, receiver, known) for message in slack.messages if _delivery_id(message)]


def _delivery_id(message: dict[str, Any]) -> str | None:
    """Return the id of a message of the bot; one without metadata has the id in its text."""
    if "metadata" in message:
        return str(message["metadata"]["event_payload"]["delivery_id"])
    found = DELIVERY.search(message["text"])
    return found[1] if found else None


def _as_webhook(message: dict[str, Any], receiver: str, known: dict[str, EventHistory]) -> Received:
    identity = _delivery_id(message) or ""
    entries = [_entry(known[event], receiver) for event in _event_ids(message, identity, known)]
    body = render_body(*entries[0]) if len(entries) == 1 else render_group(entries, ())
    return Received(datetime.fromtimestamp(float(message["ts"]), UTC), {"webhook-id": identity}, body)


def _event_ids(message: dict[str, Any], identity: str, known: dict[str, EventHistory]) -> list[str]:
    if "metadata" in message:
        return list(message["metadata"]["event_payload"]["event_ids"].split())
    return [event for event, item in known.items() if any(d.delivery_id == identity for d in item.delivery_outcomes)]


def _entry(announced: EventHistory, receiver: str) -> tuple[Event, int]:
    return announced.event, next(item.receiver_seq for item in announced.delivery_outcomes if item.receiver == receiver)
