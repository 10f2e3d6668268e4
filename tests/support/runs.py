"""Runs of trainings as tests invent them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from watcher.core.durations.current_run import Bounds, RunStart
from watcher.core.durations.past_runs import Outcome
from watcher.core.training.model import TrainingRef
from watcher.core.training.run import EndedRun, EndedStage

DAY: Final = timedelta(days=1)
FIRST_END: Final = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)
STATUSES: Final = {
    Outcome.COMPLETED: "completed",
    Outcome.FAILED: "learningFailed",
    Outcome.STOPPED: "ready",
}


def ended_run(
    number: int,
    minutes: float = 50.0,
    outcome: Outcome = Outcome.COMPLETED,
    *,
    width: timedelta = timedelta(seconds=10),
) -> EndedRun:
    """Return a run that ended on a day of its own, in the stages ``waiting`` (a tenth) and ``learning``."""
    end = FIRST_END + number * DAY
    start = end - timedelta(minutes=minutes)
    ended, started, moved = (_around(time, width) for time in (end, start, start + (end - start) / 10))
    return EndedRun(
        ref=TrainingRef("main", "s", "pop", f"v{number}"),
        seq=3,
        outcome=outcome,
        status=STATUSES[outcome],
        hpo=False,
        start=RunStart(started_after=started.after, started_before=started.before),
        ended=ended,
        stages=(
            EndedStage(status="waiting", entered=started, left=moved),
            EndedStage(status="learning", entered=moved, left=ended),
        ),
    )


def _around(middle: datetime, width: timedelta) -> Bounds:
    return Bounds(after=middle - width / 2, before=middle + width / 2)
