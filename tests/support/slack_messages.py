"""Convert the messages of a local Slack into arrivals for the invariant checker."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from tests.support.servers import Received
from tests.support.slack import LocalSlack
from watcher.core.event import Event
from watcher.receivers.payload import render_body, render_group
from watcher.store.views import EventHistory


def as_received(slack: LocalSlack, receiver: str, announced: Sequence[EventHistory]) -> list[Received]:
    """Return the bot's messages, each as the webhook with the same events and id."""
    known = {item.event.id: item for item in announced}
    return [_as_webhook(message, receiver, known) for message in slack.messages if "metadata" in message]


def _as_webhook(message: dict[str, Any], receiver: str, known: dict[str, EventHistory]) -> Received:
    facts = message["metadata"]["event_payload"]
    entries = [_entry(known[identity], receiver) for identity in facts["event_ids"].split()]
    body = render_body(*entries[0]) if len(entries) == 1 else render_group(entries, ())
    return Received(datetime.fromtimestamp(float(message["ts"]), UTC), {"webhook-id": facts["delivery_id"]}, body)


def _entry(announced: EventHistory, receiver: str) -> tuple[Event, int]:
    return announced.event, next(item.receiver_seq for item in announced.delivery_outcomes if item.receiver == receiver)
