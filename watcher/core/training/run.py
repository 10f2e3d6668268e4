"""The start of a training's run, for the duration that messages show."""

from __future__ import annotations

from datetime import datetime

from watcher.core.training.model import NOT_ENDED, Phase, RunStart, Snapshot, phase_of


def run_of(known: Snapshot, status: str, after: datetime, before: datetime) -> RunStart | None:
    """Return the start of the run that a new status belongs to; ``None`` where no poll saw it start.

    A run starts when a training gets into progress: as a new one, after an end, or from ``ready``. A training that the
    first poll found in progress has started at an unknown time.

    Args:
        known: the recorded state.
        status: the new status.
        after: the start of the last request that returned the old status, UTC.
        before: the end of the first answer with the new status, UTC.
    """
    goes_on = known.status is not None and phase_of(known.status) in NOT_ENDED
    phase = phase_of(status)
    if goes_on:
        return None if phase is Phase.IDLE else known.run
    return RunStart(started_after=after, started_before=before) if phase is Phase.IN_PROGRESS else None
