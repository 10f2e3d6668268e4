"""What still goes out when an event cannot be rendered: the built-in words about it, without what came from outside."""

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
"""Takes the events that are told, and those that were told by themselves."""


def render_or_fall_back(render: Render[Rendered], events: Sequence[Event], also: Sequence[Event] = ()) -> Rendered:
    """Return what ``render`` makes of the events; where it fails, what it makes of them laid bare.

    A text that cannot be made must not keep an alert from going out.
    """
    try:
        return render(events, also)
    except Exception:
        log.exception("event.fallback_rendered", event_ids=[event.id for event in events])
        return render([without_outside_text(event) for event in events], [])


def without_outside_text(event: Event) -> Event:
    """Return an event without the training's record and the names that people gave."""
    return replace(event, record=NO_RECORD, labels=NO_LABELS, service_name=None)
