"""The run in progress of a training: its start and its stages, each with the bounds of its entry."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

MOST_STAGES: Final = 40
"""A training that changes back and forth keeps its latest stages; the run keeps its start."""


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
class CurrentRun:
    """A run that goes on."""

    start: RunStart | None
    """``None`` where no poll saw it start."""
    stages: tuple[Stage, ...]
    """In their order, at least one; the last is the present one."""

    @property
    def stage(self) -> Stage:
        """The present stage."""
        return self.stages[-1]

    def with_stage(self, stage: Stage) -> CurrentRun:
        """Return the run in its next stage."""
        return replace(self, stages=(*self.stages, stage)[-MOST_STAGES:])
