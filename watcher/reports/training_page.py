"""Everything about one training: its status, its poll, its events and the silences on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import TYPE_CHECKING

from watcher.core.routing.matcher import matches_pattern
from watcher.core.routing.silence import Silence, to_json
from watcher.core.timestamps import to_text
from watcher.core.training.model import ServiceRef, TrainingRef
from watcher.reports.history import event_history_json
from watcher.reports.status_json import known_json, poll_json, problems_json

if TYPE_CHECKING:
    from watcher.core.health.problems import Problem
    from watcher.core.incidents.model import Incident
    from watcher.reports.status import KnownTraining, PollReport
    from watcher.store.views import EventHistory


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingPage:
    """The data of a training's page."""

    at: datetime
    training: KnownTraining
    zone: tzinfo | None
    """The zone of dates in its record; ``None`` where its account is not configured any more."""
    labels: Mapping[str, str]
    poll: PollReport | None
    """``None`` where no watch serves it any more."""
    events: Sequence[EventHistory]
    """Its latest events, the newest last."""
    silences: Sequence[Silence]
    problems: Sequence[Problem] = ()
    """The problems of the daemon, and of what polls this training, the gravest first."""
    incidents: Sequence[Incident] = ()
    """The open incidents that include it."""

    @property
    def has_problem(self) -> bool:
        """Whether there is any problem, so that the status may be out of date."""
        return bool(self.problems)

    def as_json(self) -> dict[str, object]:
        """Return the page for programs; texts from AiTEMS are unchanged."""
        return {
            "at": to_text(self.at),
            "training": known_json(self.training),
            "labels": dict(self.labels),
            "record": dict(self.training.snapshot.record),
            "poll": None if self.poll is None else poll_json(self.poll),
            "events": [event_history_json(item) for item in self.events],
            "silences": [to_json(item) for item in self.silences],
            "problems": problems_json(self.problems),
        }


def may_concern(silence: Silence, service: ServiceRef, training: TrainingRef | None = None) -> bool:
    """Return whether a silence may match events of a service, or of one training of it; kind and labels are open."""
    facts = {"account": service.account, "service": service.service}
    if training is not None:
        facts |= {"type": training.type, "version": training.version}
    return all(
        any(matches_pattern(facts[key], pattern) for pattern in wanted)
        for key, wanted in silence.match.patterns.items()
        if key in facts
    )
