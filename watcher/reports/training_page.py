"""Everything about one training: its status, its poll, its events and the silences on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from types import MappingProxyType
from typing import TYPE_CHECKING

from watcher.core.durations.current_run import CurrentRun
from watcher.core.routing.silence import Silence, to_json
from watcher.core.timestamps import to_text
from watcher.core.training.comparison import UsualFacts, usual_json
from watcher.core.training.run import EndedRun
from watcher.reports.history import event_history_json
from watcher.reports.runs.runs import Differences, current_run_json, run_json
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
    runs: Sequence[EndedRun] = ()
    """Its latest runs that have ended, the newest last."""
    stage_usual: Mapping[str, UsualFacts] = field(default_factory=lambda: MappingProxyType({}), hash=False)
    """How long the stages of its present or latest run usually take, by status, where that is known."""
    differences: Differences | None = None
    """The settings beside those of the last good version; ``None`` where no other version has completed before."""
    silences: Sequence[Silence]
    problems: Sequence[Problem] = ()
    """The problems of the daemon, and of what polls this training, the gravest first."""
    incidents: Sequence[Incident] = ()
    """The open incidents that include it."""

    @property
    def current_run(self) -> CurrentRun | None:
        """The run in progress; ``None`` without one."""
        return None if self.training.progress is None else self.training.progress.run

    @property
    def first_seen_at(self) -> datetime:
        """The first answer with the training, UTC."""
        return self.training.snapshot.first_seen_at

    @property
    def has_problem(self) -> bool:
        """Whether there is any problem, so that the status may be out of date."""
        return bool(self.problems)

    def as_json(self) -> dict[str, object]:
        """Return the page for programs; texts from AiTEMS are unchanged."""
        run, first_seen_at = self.current_run, self.first_seen_at
        return {
            "at": to_text(self.at),
            "training": known_json(self.training),
            "labels": dict(self.labels),
            "record": dict(self.training.snapshot.record),
            "current_run": None if run is None else current_run_json(run, first_seen_at, self.at),
            "runs": [run_json(item, first_seen_at) for item in self.runs],
            "usual_stages": {status: usual_json(usual) for status, usual in self.stage_usual.items()},
            "last_good": None if self.differences is None else self.differences.as_json(),
            "poll": None if self.poll is None else poll_json(self.poll),
            "events": [event_history_json(item) for item in self.events],
            "silences": [to_json(item) for item in self.silences],
            "problems": problems_json(self.problems),
        }
