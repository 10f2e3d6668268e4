"""The usual duration and the expected end that a wait reports."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

import pytest
from structlog.testing import capture_logs

from tests.support.past_runs import NOW, past_runs
from watcher.core.batch import NotSavedError
from watcher.core.durations.current_run import CurrentRun, RunStart, Stage
from watcher.core.training.earlier_runs import EarlierRuns, RunGroup, RunsWanted
from watcher.core.training.model import Snapshot, TrainingRef
from watcher.pipeline.waiting.estimates import Estimates
from watcher.pipeline.waiting.without_store import WithoutStore

MINUTE = timedelta(minutes=1)


class Runs(WithoutStore):
    """A store with earlier runs, which counts its reads."""

    def __init__(self, count: int, error: Exception | None = None) -> None:
        self.count = count
        self.error = error
        self.reads = 0

    async def earlier_runs(
        self, wanted: Mapping[RunGroup, RunsWanted], _now: datetime
    ) -> Mapping[RunGroup, EarlierRuns]:
        self.reads += 1
        if self.error is not None:
            raise self.error
        completed = past_runs([3000.0 + number for number in range(self.count)])
        return dict.fromkeys(wanted, EarlierRuns(completed=completed))


class NoonClock:
    """Stands still."""

    def utc_now(self) -> datetime:
        return NOW

    def monotonic(self) -> float:
        return 0.0


def training(*, start: bool = True, in_progress: bool = True, status: str = "learning") -> Snapshot:
    bounds = RunStart(started_after=NOW - 20 * MINUTE, started_before=NOW - 20 * MINUTE) if start else None
    run = CurrentRun(start=bounds, stages=(Stage(status=status, entered=None),))
    return Snapshot(
        ref=TrainingRef("main", "svc", "pop", "v1"),
        status=status if in_progress else "completed",
        seen_after=NOW,
        first_seen_at=NOW,
        run=run if in_progress else None,
    )


async def test_a_run_is_expected_to_end_after_the_usual_time_and_the_store_is_read_once() -> None:
    runs = Runs(10)
    estimates = Estimates(runs, NoonClock())
    for _ in range(3):
        usual, end = await estimates.of(training())
        assert usual is not None
        assert end is not None
        assert (usual.runs, usual.median // MINUTE, (end.median - NOW) // MINUTE) == (10, 50, 30)
    assert runs.reads == 1


async def test_runs_that_could_not_be_read_are_read_at_the_next_report_and_one_line_says_so() -> None:
    runs = Runs(10, NotSavedError("locked"))
    estimates = Estimates(runs, NoonClock())
    with capture_logs() as lines:
        for _ in range(3):
            assert await estimates.of(training()) == (None, None)
    assert [(line["event"], line["log_level"]) for line in lines] == [("runs.not_read", "warning")]
    runs.error = None
    assert (await estimates.of(training()))[1] is not None


@pytest.mark.parametrize(
    ("runs", "snapshot", "usual_runs"),
    [
        (Runs(10), training(start=False), 10),
        (Runs(10), training(in_progress=False), None),
        (Runs(10), training(status="stopping"), None),
        (Runs(4), training(), None),
        (Runs(10, OSError("locked")), training(), None),
        (WithoutStore(), training(), None),
    ],
    ids=["unknown start", "ended", "stopping", "too few runs", "unreadable store", "no store"],
)
async def test_no_end_is_claimed_without_a_start_and_enough_runs(
    runs: WithoutStore, snapshot: Snapshot, usual_runs: int | None
) -> None:
    usual, end = await Estimates(runs, NoonClock()).of(snapshot)
    assert (None if usual is None else usual.runs, end) == (usual_runs, None)
