"""When a run will end, given the time that it has taken so far."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from watcher.core.durations.past_runs import Sample
from watcher.core.durations.prediction import prediction_of
from watcher.core.durations.stuck_limit import learned_limit
from watcher.core.durations.usual_durations import HIGH, LOW, MEDIAN, usual_durations


class EndReason(StrEnum):
    """How an expected end is to be read."""

    AS_USUAL = "as-usual"
    LONGER_THAN_MOST = "longer-than-most"
    """The run has taken longer than 9 of 10 earlier ones."""
    LONGER_THAN_USUAL = "longer-than-usual"
    """The run has taken longer than the learned limit: no end is claimed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EndTimes:
    """The expected end and the middle 80 % of it, UTC; none of the three is past."""

    median: datetime
    low: datetime
    high: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedEnd:
    """The expected end of a run in progress."""

    reason: EndReason
    runs: int
    """The number of runs that it is known from."""
    times: EndTimes | None
    """``None`` where no end is claimed."""


def expected_end(sample: Sample, started_at: datetime, now: datetime) -> ExpectedEnd:
    """Return when a run will end that has not ended by now.

    Args:
        sample: The past runs.
        started_at: The middle of the bounds of its start, UTC.
        now: The present time, UTC.
    """
    elapsed = max(now - started_at, timedelta())
    reason = _reason(sample, elapsed)
    times = None if reason is EndReason.LONGER_THAN_USUAL else _times(sample, elapsed, now)
    return ExpectedEnd(reason=reason, runs=len(sample.seconds), times=times)


def _reason(sample: Sample, elapsed: timedelta) -> EndReason:
    if elapsed >= learned_limit(sample).first:
        return EndReason.LONGER_THAN_USUAL
    return EndReason.LONGER_THAN_MOST if elapsed > usual_durations(sample).high else EndReason.AS_USUAL


def _times(sample: Sample, elapsed: timedelta, now: datetime) -> EndTimes:
    prediction = prediction_of(sample)

    def at(share: float) -> datetime:
        return now + (prediction.duration_by(share, elapsed) - elapsed)

    return EndTimes(median=at(MEDIAN), low=at(LOW), high=at(HIGH))
