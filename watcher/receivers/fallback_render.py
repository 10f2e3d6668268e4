"""The built-in text for an event that cannot be rendered: the same message without text from outside."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

import structlog

from watcher.core.event import NO_LABELS, Event
from watcher.core.training.model import NO_RECORD

log = structlog.get_logger()

Rendered = TypeVar("Rendered")
Render = Callable[[Sequence[Event], Sequence[Event]], Rendered]
"""A function of the events to send, and of those that were sent separately."""


def render_or_fall_back(render: Render[Rendered], events: Sequence[Event], also: Sequence[Event] = ()) -> Rendered:
    """Render the events; where that fails, render them without text from outside.

    A text that cannot be rendered must not stop an alert.
    """
    try:
        return render(events, also)
    except Exception:
        log.exception("event.fallback_rendered", event_ids=[event.id for event in events])
        return render([without_outside_text(event) for event in events], [])


def without_outside_text(event: Event) -> Event:
    """Return an event without the training's record, labels and service name, and without a comparison of records."""
    return replace(event, record=NO_RECORD, labels=NO_LABELS, service_name=None, comparison=None)
