"""The run in progress of a training: its start and its stages, each with the bounds of its entry."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from watcher.core.durations.prediction import Prediction
from watcher.core.durations.stuck_limit import StuckLimit

MOST_STAGES: Final = 40
"""A training that changes back and forth keeps its latest stages; the run keeps its start."""
STOPPING: Final = "stopping"
"""The status of a run that is being stopped, see ``core.training.model.Status``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """The two times between which something happened, UTC."""

    after: datetime
    before: datetime

    @property
    def middle(self) -> datetime:
        """The best guess of the time."""
        return self.after + (self.before - self.after) / 2

    @property
    def half_width(self) -> timedelta:
        """The largest error of that guess."""
        return (self.before - self.after) / 2


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStart:
    """The two times between which a run of a training started, UTC."""

    started_after: datetime
    started_before: datetime

    @property
    def bounds(self) -> Bounds:
        """The same two times."""
        return Bounds(after=self.started_after, before=self.started_before)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A stage of a run: a status that the training had."""

    status: str
    entered: Bounds | None
    """``None`` for the stage in which the first poll found the training."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LearnedLimits:
    """The limits that earlier runs give, looked up when the training gets into its present stage."""

    stage: StuckLimit | None = None
    """``None`` where too few runs are known."""
    run: StuckLimit | None = None
    prediction: Prediction | None = None
    """The predicted duration of the run; ``None`` where too few runs are known."""
    expected_end: datetime | None = None
    """The median of the expected end at that time, UTC; ``None`` where it is not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StuckReport:
    """The latest event that said that the training may be stuck in its present stage."""

    first_at: datetime
    """The time of the first such event in this stage, UTC."""
    level: int
    whole_run: bool
    """Whether the limit was that of the run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CurrentRun:
    """A run that goes on."""

    start: RunStart | None
    """``None`` where no poll saw it start."""
    stages: tuple[Stage, ...]
    """In their order, at least one; the last is the present one."""
    limits: LearnedLimits | None = None
    """``None`` until they are looked up."""
    stage_level: int = 0
    """The level of ``stuck`` that the present stage has reached."""
    run_level: int = 0
    unpolled_in_stage: timedelta = timedelta()
    """The time since its entry in which AiTEMS could not be polled."""
    unpolled_in_run: timedelta = timedelta()
    report: StuckReport | None = None

    @property
    def stage(self) -> Stage:
        """The present stage."""
        return self.stages[-1]

    def seen_since(self, first_seen_at: datetime) -> datetime:
        """Return the time from which polls have surely seen it, UTC; its start may be earlier.

        Args:
            first_seen_at: the first answer with the training, UTC.
        """
        first = self.stages[0].entered
        return first_seen_at if first is None else first.before

    @property
    def is_stopping(self) -> bool:
        """Whether it is being stopped: runs that completed say nothing about its end."""
        return self.stage.status == STOPPING

    def with_stage(self, stage: Stage) -> CurrentRun:
        """Return the run in its next stage, which has a limit of its own."""
        return replace(
            self,
            stages=(*self.stages, stage)[-MOST_STAGES:],
            limits=None,
            stage_level=0,
            unpolled_in_stage=timedelta(),
            report=None,
        )

    def with_gap(self, gap: timedelta) -> CurrentRun:
        """Return the run after a time in which AiTEMS could not be polled."""
        return replace(self, unpolled_in_stage=self.unpolled_in_stage + gap, unpolled_in_run=self.unpolled_in_run + gap)
