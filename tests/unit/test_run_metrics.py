"""The metrics of runs in progress: their expected end, their limit, and whether they may be stuck."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

import pytest

from watcher.clock import Clock
from watcher.core.training.model import TrainingRef
from watcher.core.training.stuck import RunInProgress
from watcher.metrics import Metrics, Reading

NOW: Final = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
LABELS: Final = '{account="main",service="s",status="learning",type="pop",version="v1"}'


def run(**facts: object) -> RunInProgress:
    known = {"expected_end": None, "deadline": None, "stuck_level": 0, **facts}
    return RunInProgress(ref=TrainingRef("main", "s", "pop", "v1"), status="learning", **known)  # type: ignore[arg-type]


def lines(*runs: RunInProgress) -> list[str]:
    reading = Reading(at=NOW, monotonic=0.0, health_stats=None, reasons=(), in_progress=runs)
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


def test_without_runs_there_are_no_series() -> None:
    assert lines() == []
