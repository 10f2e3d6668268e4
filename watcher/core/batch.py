"""What looking writes at once: all of it or nothing."""

from __future__ import annotations

from dataclasses import dataclass

from watcher.core.event import Event
from watcher.core.incidents.tracker import Incident
from watcher.core.polling.deviation import Deviation
from watcher.core.polling.result import PollState
from watcher.core.routing.planning import RoutingPlan
from watcher.core.training.model import Snapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentRow:
    """What is remembered of a subject that could not be seen."""

    subject: str
    seq: int
    """The number of the subject's latest event."""
    incident: Incident | None
    """The open incident, if any."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Rows that belong together."""

    snapshots: tuple[Snapshot, ...] = ()
    events: tuple[Event, ...] = ()
    polls: tuple[PollState, ...] = ()
    incident_rows: tuple[IncidentRow, ...] = ()
    deviations: tuple[Deviation, ...] = ()
    prerouted: RoutingPlan | None = None
    """Routes that were decided with the events, so that the router leaves them alone."""


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
