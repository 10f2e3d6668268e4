"""The runs of a training: one from each start to its end, in stages.

A run is one pass of a version from its first status in progress to an end. A restart begins another run.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Final

from watcher.core.durations.current_run import Bounds, CurrentRun, RunStart, Stage
from watcher.core.durations.past_runs import Outcome, PastRun
from watcher.core.event import Event, Kind, Restore
from watcher.core.json_object import JsonObject
from watcher.core.training.model import NOT_ENDED, Phase, TrainingRef, phase_of

ENABLED: Final = "is_enabled"
WITHOUT_CHANGE: Final = frozenset(
    {Kind.BACK, Kind.STUCK, Kind.FAST, Kind.UPDATE_FAILED, Kind.UPDATE_SUCCEEDED, Kind.UNUSABLE}
)
"""Kinds of events about a training that are no change of its status."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EndedStage:
    """A stage that the training has left."""

    status: str
    entered: Bounds | None
    """``None`` where no poll saw it begin."""
    left: Bounds

    def least(self, first_seen_at: datetime) -> timedelta | None:
        """Return how long it lasted at least; ``None`` where its begin is known.

        Args:
            first_seen_at: the first answer with the training, which had this status then, UTC.
        """
        return max(self.left.after - first_seen_at, timedelta()) if self.entered is None else None


@dataclass(frozen=True, slots=True, kw_only=True)
class EndedRun:
    """A run that has ended, as the store keeps it."""

    ref: TrainingRef
    seq: int
    """The number of the event of its end among those of the training."""
    outcome: Outcome
    status: str
    """The status in which it ended."""
    hpo: bool | None
    """Whether hyperparameters are optimised; ``None`` where AiTEMS did not say."""
    start: RunStart | None
    """``None`` where no poll saw it start."""
    ended: Bounds
    stages: tuple[EndedStage, ...] = ()
    restored: bool = False
    """Whether the store was restored from a backup meanwhile."""

    @property
    def is_end(self) -> bool:
        """Whether the training ended by itself; a stopped run is compared with no other."""
        return self.outcome is not Outcome.STOPPED

    @property
    def past_run(self) -> PastRun | None:
        """The run as later ones learn from it; ``None`` without a duration."""
        return None if self.start is None else self._past(self.start.bounds, self.ended)

    def past_stage(self, stage: EndedStage) -> PastRun | None:
        """Return one of its stages as later ones learn from it; ``None`` without a duration."""
        return None if stage.entered is None else self._past(stage.entered, stage.left)

    def _past(self, start: Bounds, end: Bounds) -> PastRun:
        return PastRun(
            ended_at=end.middle,
            duration=max(end.middle - start.middle, timedelta()),
            uncertainty=start.half_width + end.half_width,
            outcome=self.outcome,
            is_whole=not self.restored,
        )


def run_after(known: CurrentRun | None, from_status: str | None, to_status: str, bounds: Bounds) -> CurrentRun | None:
    """Return the run in progress after a change of status; ``None`` where none is.

    A run starts when a training gets into progress: as a new one, after an end, or from ``ready``. A training that the
    first poll found in progress has started at an unknown time.

    Args:
        known: The run in progress before.
        from_status: The status before; ``None`` for a new training.
        to_status: The new status.
        bounds: The start of the last request that returned the old status, and the end of the first answer with the
            new one.
    """
    phase = phase_of(to_status)
    if phase not in NOT_ENDED:
        return None
    stage = Stage(status=to_status, entered=bounds)
    if _is_in_progress(from_status):
        return (known or CurrentRun(start=None, stages=())).with_stage(stage)
    start = RunStart(started_after=bounds.after, started_before=bounds.before)
    return CurrentRun(start=start if phase is Phase.IN_PROGRESS else None, stages=(stage,))


def run_found(status: str) -> CurrentRun | None:
    """Return the run of a training that the first poll found with this status; ``None`` where none goes on."""
    return CurrentRun(start=None, stages=(Stage(status=status, entered=None),)) if _is_in_progress(status) else None


def outcome_of(from_status: str | None, to_status: str) -> Outcome | None:
    """Return how a run ended with a change of status; ``None`` where none did."""
    match phase_of(to_status):
        case Phase.SUCCEEDED:
            return Outcome.COMPLETED
        case Phase.FAILED:
            return Outcome.FAILED
        case Phase.IDLE if _is_in_progress(from_status):
            return Outcome.STOPPED
        case _:
            return None


def start_of(run: CurrentRun | None) -> RunStart | None:
    """Return the start of a run; ``None`` without a run, and where no poll saw it start."""
    return None if run is None else run.start


def ended_run(event: Event, known: CurrentRun | None) -> EndedRun | None:
    """Return the run that ended with an event of a training; ``None`` where none did.

    Args:
        event: A change of its status.
        known: The run in progress before.
    """
    ref, outcome = event.training, None if event.to_status is None else outcome_of(event.from_status, event.to_status)
    if ref is None or outcome is None:
        return None
    run = known if _is_in_progress(event.from_status) else None
    return EndedRun(
        ref=ref,
        seq=event.seq,
        outcome=outcome,
        status=event.to_status or "",
        hpo=hpo_of(event.record),
        start=start_of(run),
        ended=event.bounds,
        stages=ended_stages(run, event.bounds),
        restored=event.restored,
    )


def run_after_restore(run: EndedRun, restore: Restore | None) -> EndedRun:
    """Mark a run as restored where a part of it lies before the restore of the store: an older copy missed changes."""
    began = run.ended.after if run.start is None else run.start.started_after
    return run if restore is None or began >= restore.at else replace(run, restored=True)


def replayed(events: Iterable[Event]) -> tuple[list[EndedRun], CurrentRun | None]:
    """Return the runs that ended with the events of one training, in order, and the one in progress after them."""
    ended: list[EndedRun] = []
    current: CurrentRun | None = None
    for event in events:
        if event.to_status is None or event.kind in WITHOUT_CHANGE:
            continue
        if (run := ended_run(event, current)) is not None:
            ended.append(run)
        current = run_after(current, event.from_status, event.to_status, event.bounds)
    return ended, current


def ended_stages(run: CurrentRun | None, ended: Bounds) -> tuple[EndedStage, ...]:
    """Return the stages of a run that has ended; each is left when the next one is entered."""
    return () if run is None else tuple(_ended(run, ended))


def hpo_of(record: Mapping[str, object]) -> bool | None:
    """Return ``hpConfig.is_enabled`` of a training's record (View training); ``None`` where it says neither."""
    if isinstance(record, JsonObject) and not record.may_name(ENABLED):
        # Each change asks; lists that do not say it need not be read for that.
        return None
    config = record.get("hpConfig")
    enabled = config.get(ENABLED) if isinstance(config, Mapping) else None
    return enabled if isinstance(enabled, bool) else None


def _ended(run: CurrentRun, ended: Bounds) -> Iterator[EndedStage]:
    for stage, following in pairwise(run.stages):
        yield EndedStage(status=stage.status, entered=stage.entered, left=following.entered or ended)
    yield EndedStage(status=run.stage.status, entered=run.stage.entered, left=ended)


def _is_in_progress(status: str | None) -> bool:
    return status is not None and phase_of(status) in NOT_ENDED
