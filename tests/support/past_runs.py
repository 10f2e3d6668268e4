"""Past runs of a population, for tests of what is learned from them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from watcher.core.durations.past_runs import Outcome, PastRun

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
SURE = timedelta()


def past_run(
    seconds: float,
    age: timedelta = timedelta(),
    outcome: Outcome = Outcome.COMPLETED,
    uncertainty: timedelta = SURE,
) -> PastRun:
    """Return a run that ended ``age`` ago."""
    return PastRun(ended_at=NOW - age, duration=timedelta(seconds=seconds), uncertainty=uncertainty, outcome=outcome)


def past_runs(seconds: Sequence[float], outcome: Outcome = Outcome.COMPLETED) -> list[PastRun]:
    """Return runs that ended one an hour, the last of them now."""
    return [
        past_run(value, timedelta(hours=len(seconds) - 1 - number), outcome) for number, value in enumerate(seconds)
    ]
