"""The changes that the result of a poll makes, to record together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from watcher.core.batch import IncidentRow
from watcher.core.event import Event
from watcher.core.polling.deviation import Deviation
from watcher.core.polling.result import PollState
from watcher.core.training.catch_up import OWN_GROUP
from watcher.core.training.decision import Decision
from watcher.core.training.model import TrainingRef
from watcher.pipeline.polling.incidents.monitor import IncidentUpdate
from watcher.pipeline.polling.runs.overdue import NO_ABSENCES, Absences
from watcher.pipeline.polling.updates.changes import NO_UPDATES, UpdateChanges


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceChanges:
    """The services that a list of services shows for the first time, or not any more."""

    events: tuple[Event, ...] = ()
    incident_rows: tuple[IncidentRow, ...] = ()
    states: tuple[PollState, ...] = ()
    """The polls that begin."""
    forgotten: tuple[str, ...] = ()
    """The keys of the polls that end."""

    def __bool__(self) -> bool:
        return bool(self.events or self.incident_rows or self.states or self.forgotten)


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """The consequences of one result; they count from the time at which they are recorded."""

    decisions: Sequence[Decision] = ()
    incidents: IncidentUpdate = field(default_factory=IncidentUpdate)
    state: PollState | None = None
    deviations: tuple[Deviation, ...] = ()
    services: ServiceChanges = ServiceChanges()
    view_states: tuple[PollState, ...] = ()
    """The states of trainings that their list does not show, each as a poll of its own."""
    ended_views: tuple[str, ...] = ()
    """The keys of such states that end, as the list shows the training again or lacks it."""
    absences: Absences = NO_ABSENCES
    """The retrainings that are overdue."""
    updates: UpdateChanges = NO_UPDATES
    """The updates of a service."""
    gap_until: datetime | None = None
    """The end of a poll that returned nothing: changes before this time may have been missed."""

    @property
    def unconfirmed(self) -> list[TrainingRef]:
        """The trainings whose end needs a confirmation."""
        return [decision.snapshot.ref for decision in self.decisions if decision.wants_confirmation]

    @property
    def unlisted(self) -> list[TrainingRef]:
        """The trainings that two lists in a row lack."""
        return [decision.snapshot.ref for decision in self.decisions if decision.wants_view]

    @property
    def own_groups(self) -> frozenset[str]:
        """The groups of events that are complete with these changes."""
        events = [decision.event for decision in self.decisions if decision.event]
        groups = (event.group for event in (*events, *self.services.events))
        return frozenset(group for group in groups if group and group.startswith(OWN_GROUP))
