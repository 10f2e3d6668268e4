"""The metrics of runs in progress, of retrainings that are overdue or may be, and of updates that ended."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final

import pytest

from tests.unit.receivers.update_samples import UPDATE_CASES
from watcher.clock import Clock
from watcher.core.training.absence import Missing
from watcher.core.training.model import TrainingRef
from watcher.core.training.overdue import ExpectedRetraining
from watcher.core.training.retraining import RetrainingRef
from watcher.core.training.stuck import RunInProgress
from watcher.metrics import Metrics, Reading

NOW: Final = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
LABELS: Final = '{account="main",service="s",status="learning",type="pop",version="v1"}'


def run(**facts: object) -> RunInProgress:
    known = {"expected_end": None, "deadline": None, "stuck_level": 0, **facts}
    return RunInProgress(ref=TrainingRef("main", "s", "pop", "v1"), status="learning", **known)  # type: ignore[arg-type]


def lines(*runs: RunInProgress) -> list[str]:
    reading = Reading(at=NOW, health_stats=None, reasons=(), in_progress=runs)
    text = Metrics(Clock()).exposition(reading).decode()
    return [line for line in text.splitlines() if line.startswith("aitems_watcher_training_")]


@pytest.mark.parametrize(
    ("facts", "shown"),
    [
        ({}, []),
        ({"expected_end": NOW}, [("aitems_watcher_training_expected_end_seconds", NOW.timestamp())]),
        ({"deadline": NOW}, [("aitems_watcher_training_stuck_at_seconds", NOW.timestamp())]),
        ({"stuck_level": 2}, [("aitems_watcher_training_stuck", 2.0)]),
    ],
)
def test_a_run_in_progress_has_a_series_for_each_known_fact(
    facts: dict[str, object], shown: list[tuple[str, float]]
) -> None:
    found = [line.rsplit(" ", 1) for line in lines(run(**facts))]
    assert [(name, float(value)) for name, value in found] == [(name + LABELS, value) for name, value in shown]


def test_a_retraining_has_a_series_for_each_absence_and_for_its_next_deadline() -> None:
    ref = RetrainingRef("main", "s", "pop")
    known = ExpectedRetraining(ref=ref, reported=frozenset({Missing.START}), deadline=NOW)
    reading = Reading(at=NOW, health_stats=None, reasons=(), retrainings=[known])
    text = Metrics(Clock()).exposition(reading).decode()
    assert 'aitems_watcher_retraining_overdue{account="main",missing="start",service="s",type="pop"} 1.0' in text
    (line,) = [line for line in text.splitlines() if line.startswith("aitems_watcher_retraining_overdue_at_seconds{")]
    assert float(line.rsplit(" ", 1)[1]) == NOW.timestamp()


def test_updates_that_end_are_counted_by_outcome() -> None:
    metrics = Metrics(Clock())
    for case in ("update-failed", "update-failed-late", "update-succeeded"):
        metrics.routed(UPDATE_CASES[case])
    text = metrics.exposition(Reading(at=NOW, health_stats=None, reasons=())).decode()
    found = re.findall(r'updates_total\{.*outcome="(\w+)".*\} (\d)', text)
    assert sorted(found) == [("completed", "1"), ("failed", "2")]


def test_without_runs_there_are_no_series() -> None:
    assert lines() == []
