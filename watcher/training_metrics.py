"""Metric families about trainings and retrainings; a series ends together with its subject."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final

from prometheus_client.core import GaugeMetricFamily, Metric

from watcher.core.health.readiness import HealthStats, TrainingInProgress
from watcher.core.training.overdue import ExpectedRetraining
from watcher.core.training.stuck import RunInProgress

PREFIX: Final = "aitems_watcher_"
TRAINING_LABELS: Final = ("account", "service", "type", "version", "status")
RETRAINING_LABELS: Final = ("account", "service", "type")


def family(name: str, text: str, *labels: str) -> GaugeMetricFamily:
    """Return a family of gauges."""
    return GaugeMetricFamily(PREFIX + name, text, labels=labels)


def single(name: str, text: str, value: float) -> Metric:
    """Return a family of one gauge without labels."""
    return GaugeMetricFamily(PREFIX + name, text, value=value)


def counts_in_progress(health_stats: HealthStats, _at: datetime) -> Metric:
    """Return the numbers of trainings in progress."""
    found = family("trainings_in_progress", "Trainings in progress, by status.", "status")
    for status, count in health_stats.in_progress_counts.items():
        found.add_metric([status], count)
    return found


def in_progress(health_stats: HealthStats, _at: datetime) -> Metric:
    """Return the trainings in progress, at most ``SERIES_MAX``."""
    text = "1 for each training in progress; the series ends with it. Of more than 1,000 the longest in progress."
    found = family("training_in_progress", text, *TRAINING_LABELS)
    for training in health_stats.in_progress:
        found.add_metric(_training_labels(training), 1)
    return found


def in_progress_since(health_stats: HealthStats, _at: datetime) -> Metric:
    """Return the times since which trainings are in progress, at most ``SERIES_MAX``."""
    text = "Unix time at which a training in progress has reached its status at the latest."
    found = family("training_in_progress_since_seconds", text, *TRAINING_LABELS)
    for training in health_stats.in_progress:
        found.add_metric(_training_labels(training), training.since.timestamp())
    return found


def run_families(runs: Sequence[RunInProgress]) -> Iterator[Metric]:
    """Yield the families about runs in progress."""
    for make in (_expected_ends, _deadlines, _stuck):
        yield make(runs)


def _expected_ends(runs: Sequence[RunInProgress]) -> Metric:
    text = "Unix time at which a training in progress was expected to end when it got into its stage."
    found = family("training_expected_end_seconds", text, *TRAINING_LABELS)
    for run in runs:
        if run.expected_end is not None:
            found.add_metric(_training_labels(run), run.expected_end.timestamp())
    return found


def _deadlines(runs: Sequence[RunInProgress]) -> Metric:
    text = "Unix time at which a training in progress may be stuck next."
    found = family("training_stuck_at_seconds", text, *TRAINING_LABELS)
    for run in runs:
        if run.deadline is not None:
            found.add_metric(_training_labels(run), run.deadline.timestamp())
    return found


def _stuck(runs: Sequence[RunInProgress]) -> Metric:
    text = "1 for each training that may be stuck, 2 after three times its limit; the series ends when it changes."
    found = family("training_stuck", text, *TRAINING_LABELS)
    for run in runs:
        if run.stuck_level:
            found.add_metric(_training_labels(run), run.stuck_level)
    return found


def _training_labels(training: TrainingInProgress | RunInProgress) -> list[str]:
    ref = training.ref
    return [ref.account, ref.service, ref.type, ref.version, training.status]


def retraining_families(retrainings: Sequence[ExpectedRetraining]) -> Iterator[Metric]:
    """Yield the families about retrainings that are overdue, or may be."""
    text = "1 for each retraining that was reported as overdue; the series ends with the next start or completion."
    overdue = family("retraining_overdue", text, *RETRAINING_LABELS, "missing")
    text = "Unix time at which a retraining may be overdue next."
    expected = family("retraining_overdue_at_seconds", text, *RETRAINING_LABELS)
    for item in retrainings:
        labels = [item.ref.account, item.ref.service, item.ref.type]
        for missing in sorted(item.reported):
            overdue.add_metric([*labels, missing.value], 1)
        if item.deadline is not None:
            expected.add_metric(labels, item.deadline.timestamp())
    yield overdue
    yield expected
