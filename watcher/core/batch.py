"""What looking writes at once: all of it or nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from watcher.core.event import Event
from watcher.core.incidents.tracker import Incident
from watcher.core.polling.deviation import Deviation
from watcher.core.polling.result import PollState
from watcher.core.routing.routes import RoutingDecision
from watcher.core.training.model import Snapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentRow:
    """What is remembered of a subject that could not be seen."""

    subject: str
    seq: int
    """The number of the subject's latest event."""
    incident: Incident | None
    """The open incident, if any."""


Seal = Callable[[str, Event, int], bytes | None]
"""Receiver, event and ``receiver_seq`` to the bytes that are kept with the delivery."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prerouted:
    """Where an event goes of which that is known as it is recorded, so that no route takes it."""

    event_id: str
    decision: RoutingDecision
    seal: Seal
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Rows that belong together."""

    snapshots: tuple[Snapshot, ...] = ()
    events: tuple[Event, ...] = ()
    polls: tuple[PollState, ...] = ()
    incident_rows: tuple[IncidentRow, ...] = ()
    deviations: tuple[Deviation, ...] = ()
    prerouted: Prerouted | None = None


class NotSavedError(Exception):
    """The store cannot be written for a while (the word says why); the same may be kept later, and nothing was."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedState:
    """Everything that a restart knows."""

    snapshots: tuple[Snapshot, ...]
    polls: tuple[PollState, ...]
    incident_rows: tuple[IncidentRow, ...]
    deviations: frozenset[str] = frozenset()
    """Differences from the documents that were said already."""
