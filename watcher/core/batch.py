"""Batches: the rows that one answer changes, written in one transaction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from watcher.core.event import Event
from watcher.core.incidents.model import Incident
from watcher.core.polling.deviation import Deviation
from watcher.core.polling.result import PollState
from watcher.core.training.model import Snapshot
from watcher.core.training.retraining import Retraining
from watcher.core.training.run import EndedRun

if TYPE_CHECKING:
    # Whoever reads the store needs no plan.
    from watcher.core.routing.planning import RoutingPlan


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentRow:
    """The stored incident state of a subject."""

    subject: str
    seq: int
    """The number of the subject's latest event."""
    incident: Incident | None
    """The open incident; ``None`` where there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Rows that are recorded together: all of them or none."""

    snapshots: tuple[Snapshot, ...] = ()
    events: tuple[Event, ...] = ()
    polls: tuple[PollState, ...] = ()
    incident_rows: tuple[IncidentRow, ...] = ()
    deviations: tuple[Deviation, ...] = ()
    forgotten_polls: tuple[str, ...] = ()
    """The keys of polls that end, as their service is gone."""
    runs: tuple[EndedRun, ...] = ()
    """The runs that ended with the events."""
    retrainings: tuple[Retraining, ...] = ()
    """The retrainings that the events change."""
    prerouted: RoutingPlan | None = None
    """Routes that were decided with the events, so that the router leaves them alone."""


class NotSavedError(Exception):
    """The store cannot be used at present; nothing was recorded, and the same decision may be recorded later.

    The text is a code for the cause, e.g. ``disk-full``.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedState:
    """The stored state that a start of the watcher loads."""

    snapshots: tuple[Snapshot, ...]
    polls: tuple[PollState, ...]
    incident_rows: tuple[IncidentRow, ...]
    retrainings: tuple[Retraining, ...] = ()
    deviations: frozenset[str] = frozenset()
    """Deviations that are already logged and stored."""
