"""The facts of an event that must have them."""

from __future__ import annotations

from watcher.core.delivery.facts import ReceiverFacts
from watcher.core.event import Event, IncidentFacts


def incident_of(event: Event) -> IncidentFacts:
    """Return the incident of an event about one."""
    assert event.incident is not None
    return event.incident


def receiver_of(event: Event) -> ReceiverFacts:
    """Return the receiver of an event about one."""
    assert event.receiver is not None
    return event.receiver
