"""A run in progress beside earlier ones: usual durations, the expected end, and each population read once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import pytest

from tests.support.past_runs import NOW, past_runs
from tests.unit.reports.facts import POP, plain_screen, snapshot
from watcher.cli.text.times import LocalTimes
from watcher.cli.text.trainings import training_table
from watcher.core.durations.current_run import CurrentRun, RunStart, Stage
from watcher.core.durations.expected_end import EndReason
from watcher.core.durations.past_runs import PastRun, Population
from watcher.core.training.model import Snapshot
from watcher.reports.runs.progress import PopulationSamples, Progress
from watcher.reports.status import KnownTraining
from watcher.reports.status_json import known_json

HOUR_LONG = past_runs([3500.0, 3550.0, 3600.0, 3600.0, 3650.0, 3700.0] * 2)
STAGES = (Stage(status="learning", entered=None),)


def begun(minutes: float | None, stages: tuple[Stage, ...] = STAGES, **changes: object) -> Snapshot:
    """Return a training whose run began so many minutes ago."""
    at = None if minutes is None else NOW - timedelta(minutes=minutes)
    start = None if at is None else RunStart(started_after=at, started_before=at)
    return snapshot(run=CurrentRun(start=start, stages=stages), **changes)


def progress(item: Snapshot, runs: Sequence[PastRun] = HOUR_LONG) -> Progress | None:
    return PopulationSamples(lambda _population: runs, NOW).progress(item)


@pytest.mark.parametrize(
    ("minutes", "reason", "claims_end"),
    [
        (10, EndReason.AS_USUAL, True),
        (61.6, EndReason.LONGER_THAN_MOST, True),
        (300, EndReason.LONGER_THAN_USUAL, False),
    ],
)
def test_an_expected_end_counts_from_the_start_of_the_run(
    minutes: float, reason: EndReason, *, claims_end: bool
) -> None:
    found = progress(begun(minutes))
    assert found is not None
    assert found.usual is not None
    assert found.usual.runs == 12
    assert found.expected is not None
    assert (found.expected.reason, found.expected.times is not None) == (reason, claims_end)


@pytest.mark.parametrize(
    ("item", "has_progress", "has_usual"),
    [
        (snapshot(), False, False),
        (snapshot(status="completed", run=CurrentRun(start=None, stages=STAGES)), False, False),
        (begun(None), True, True),
        (begun(10, stages=(Stage(status="stopping", entered=None),)), True, False),
    ],
    ids=["no run", "ended", "start not known", "stopping"],
)
def test_nothing_is_expected_of_a_run_without_a_start_or_that_is_stopping(
    item: Snapshot, *, has_progress: bool, has_usual: bool
) -> None:
    found = progress(item)
    assert (found is not None, found is not None and found.usual is not None) == (has_progress, has_usual)
    assert found is None or found.expected is None


def test_nothing_is_said_of_fewer_than_five_runs() -> None:
    found = progress(begun(10), HOUR_LONG[:4])
    assert found is not None
    assert (found.usual, found.expected) == (None, None)


@pytest.mark.parametrize(("trainings", "service_has_runs"), [(1, True), (50, True), (50, False)])
def test_a_population_is_read_once_however_many_trainings_it_has(trainings: int, *, service_has_runs: bool) -> None:
    asked: list[Population] = []

    def runs_of(population: Population) -> Sequence[PastRun]:
        asked.append(population)
        return HOUR_LONG if service_has_runs or population.service is None else ()

    samples = PopulationSamples(runs_of, NOW)
    found = [samples.progress(begun(number, record={"hpConfig": {"is_enabled": True}})) for number in range(trainings)]
    own = Population(POP.account, POP.type, POP.service, hpo=True)
    assert asked == ([own] if service_has_runs else [own, Population(POP.account, POP.type)])
    assert {item is not None and item.usual is not None and item.usual.whole_account for item in found} == {
        not service_has_runs
    }


def known(item: Snapshot) -> KnownTraining:
    return KnownTraining(snapshot=item, name=None, last_seen=NOW, watched=True, progress=progress(item))


@pytest.mark.parametrize(
    ("minutes", "text"), [(10, "12:50"), (61.6, ", longer than 9 of 10"), (300, "longer than usual")]
)
def test_the_table_of_trainings_has_the_usual_run_and_the_expected_end(minutes: float, text: str) -> None:
    screen, stream = plain_screen()
    screen.table(training_table([known(begun(minutes))], LocalTimes(NOW, NOW.tzinfo)))
    heading, row = stream.getvalue().splitlines()
    assert "USUAL RUN" in heading
    assert "EXPECTED END" in heading
    assert "58m to 1h2m" in row
    assert text in row


def test_json_has_the_run_with_its_start_usual_durations_and_expected_end() -> None:
    run = known_json(known(begun(10)))["run"]
    assert isinstance(run, dict)
    assert run["started_after"] == "2026-11-29T11:50:00.000000Z"
    assert run["usual"]["runs"] == 12
    assert run["expected_end"]["reason"] == "as-usual"
    assert run["expected_end"]["low"] < run["expected_end"]["median"] < run["expected_end"]["high"]
    assert known_json(known(begun(300)))["run"] == run | {
        "started_after": "2026-11-29T07:00:00.000000Z",
        "started_before": "2026-11-29T07:00:00.000000Z",
        "expected_end": {"reason": "longer-than-usual", "median": None, "low": None, "high": None, "runs": 12},
    }
    assert known_json(known(snapshot()))["run"] is None
