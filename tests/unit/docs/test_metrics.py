"""``docs/metrics.md`` has every metric with its type, labels, unit and meaning, every label, and no other."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from prometheus_client.core import Metric
from prometheus_client.metrics import MetricWrapperBase

from tests.support.paths import DOCS
from tests.unit.reports.facts import NOW
from watcher.clock import Clock
from watcher.core.delivery.state import State
from watcher.core.health.readiness import HealthStats
from watcher.core.training.absence import Missing
from watcher.metrics import Metrics, Reading
from watcher.training_metrics import PREFIX

PAGE = (DOCS / "metrics.md").read_text()
ROW = re.compile(r"^\| `(aitems_watcher_\w+)` \| (\w+) \| (.*?) ?\| (.*?) \| (.*) \|$", re.MULTILINE)
LABEL_ROW = re.compile(r"^\| ((?:`\w+`(?:, )?)+) \| .+ \|$", re.MULTILINE)
NAME = re.compile(r"`(\w+)`")
METRIC = re.compile(r"aitems_watcher_\w+")
SERIES = re.compile(r"_(bucket|sum|count)$")
UNITS = {
    r"_(timestamp|since|at|end)_seconds$": "Unix time",
    r"(?<!timestamp)(?<!since)(?<!_at)(?<!_end)_seconds$": "seconds",
    r"_bytes$": "bytes",
    r"_per_second$": "requests a second",
}
"""The end of a name and its unit, both ways."""

Described = tuple[str, tuple[str, ...]]


def exported(metrics: Metrics) -> dict[str, Described]:
    """Return the type and the labels of each family, by its name in the text format."""
    reading = Reading(at=NOW, health_stats=HealthStats(), reasons=())
    metrics.exposition(reading)
    return {name: (kind, tuple(sorted(labels))) for name, kind, labels in _families(metrics)}


def _families(metrics: Metrics) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    for collector in metrics._registry._collector_to_names:
        found: list[Metric | MetricWrapperBase] = (
            [collector] if isinstance(collector, MetricWrapperBase) else list(collector.collect())
        )
        for family in found:
            kind = str(family.type if isinstance(family, Metric) else family._type)
            name = family.name if isinstance(family, Metric) else family._name
            yield name + "_total" * (kind == "counter"), kind, tuple(getattr(family, "_labelnames", ()))


def documented(page: str) -> dict[str, Described]:
    """Return the type and the labels of each row."""
    return {name: (kind, tuple(sorted(NAME.findall(labels)))) for name, kind, labels, _, _ in ROW.findall(page)}


def documented_labels() -> set[str]:
    part = PAGE.partition("### Labels")[2].partition("\n## ")[0]
    return {name for names in LABEL_ROW.findall(part) for name in NAME.findall(names)}


def test_the_page_has_every_metric_with_its_type_and_labels_and_no_other() -> None:
    assert len(documented(PAGE)) > 30
    assert documented(PAGE) == exported(Metrics(Clock()))


def test_a_metric_that_is_added_or_removed_is_found() -> None:
    more = Metrics(Clock())
    more._gauge("new_seconds", "Invented.", "receiver")
    assert set(exported(more)) - set(documented(PAGE)) == {f"{PREFIX}new_seconds"}
    without = "\n".join(line for line in PAGE.splitlines() if f"`{PREFIX}ready`" not in line)
    assert set(exported(more)) - set(documented(without)) == {f"{PREFIX}new_seconds", f"{PREFIX}ready"}


@pytest.mark.parametrize("row", ROW.findall(PAGE), ids=lambda row: row[0].removeprefix(PREFIX))
def test_each_metric_has_a_meaning_and_the_unit_of_its_name(row: tuple[str, ...]) -> None:
    name, _kind, _labels, unit, meaning = row
    assert unit
    assert len(meaning.split()) > 1
    by_name = [known for end, known in UNITS.items() if re.search(end, name)]
    assert by_name == ([unit] if unit in UNITS.values() else [])


def test_the_page_has_every_label_and_no_other() -> None:
    assert documented_labels() == {label for _, labels in exported(Metrics(Clock())).values() for label in labels}


@pytest.mark.parametrize(
    ("label", "values"), [("state", set(State)), ("missing", set(Missing)), ("late", {"true", "false"})]
)
def test_each_value_of_a_label_is_on_the_page(label: str, values: set[str]) -> None:
    (row,) = re.findall(rf"^\| `{label}` \| (.*) \|$", PAGE, re.MULTILINE)
    assert set(NAME.findall(row)) == values


@pytest.mark.parametrize("name", ["alerts.yml", "grafana-dashboard.json"])
def test_rules_and_dashboard_use_only_metrics_of_the_page(name: str) -> None:
    used = {SERIES.sub("", metric) for metric in METRIC.findall((DOCS / name).read_text())}
    assert used
    assert used <= set(documented(PAGE))
