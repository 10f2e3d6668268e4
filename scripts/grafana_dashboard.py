"""Write ``docs/grafana-dashboard.json``: the metrics of the watcher as a dashboard of Grafana 10 and newer."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

FILE: Final = Path(__file__).parents[1] / "docs" / "grafana-dashboard.json"
SOURCE: Final = {"type": "prometheus", "uid": "${source}"}
COLUMNS: Final = 24
USED_BUDGET: Final = "rate(aitems_watcher_requests_total[5m]) / on (account) aitems_watcher_requests_allowed_per_second"


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel: its kind in Grafana, its title, and its queries with their legends."""

    kind: str
    title: str
    queries: Sequence[tuple[str, str]]
    unit: str = "short"
    width: int = 8
    height: int = 7


ROWS: Final[Sequence[tuple[str, Sequence[Panel]]]] = (
    (
        "Is the watcher well?",
        (
            Panel("stat", "Ready", [("aitems_watcher_ready", "")], width=4, height=4),
            Panel(
                "stat", "Open incidents", [("sum(aitems_watcher_incidents_open) or vector(0)", "")], width=4, height=4
            ),
            Panel(
                "stat",
                "Failing receivers",
                [("count(aitems_watcher_receiver_failing_seconds) or vector(0)", "")],
                width=4,
                height=4,
            ),
            Panel(
                "stat",
                "Dead letters",
                [('sum(aitems_watcher_deliveries{state=~"dead|held"}) or vector(0)', "")],
                width=4,
                height=4,
            ),
            Panel(
                "stat", "May be stuck", [("count(aitems_watcher_training_stuck) or vector(0)", "")], width=4, height=4
            ),
            Panel(
                "stat", "Overdue", [("count(aitems_watcher_retraining_overdue) or vector(0)", "")], width=4, height=4
            ),
            Panel("table", "Reasons against it", [("aitems_watcher_not_ready == 1", "{{reason}}")], width=12),
            Panel(
                "timeseries",
                "Time since each loop made progress",
                [("aitems_watcher_loop_age_seconds", "{{loop}}")],
                "s",
                12,
            ),
        ),
    ),
    (
        "Trainings",
        (
            Panel(
                "timeseries", "In progress", [("sum by (status) (aitems_watcher_trainings_in_progress)", "{{status}}")]
            ),
            Panel(
                "timeseries",
                "Runs that ended, an hour",
                [("sum by (outcome) (increase(aitems_watcher_runs_total[1h]))", "{{outcome}}")],
            ),
            Panel(
                "timeseries",
                "Updates that ended, an hour",
                [("sum by (outcome) (increase(aitems_watcher_updates_total[1h]))", "{{outcome}}")],
            ),
            Panel(
                "table",
                "In progress for",
                [("time() - aitems_watcher_training_in_progress_since_seconds", "{{service}} {{type}} {{version}}")],
                "s",
                12,
            ),
            Panel(
                "table",
                "Expected to end in",
                [("aitems_watcher_training_expected_end_seconds - time()", "{{service}} {{type}} {{version}}")],
                "s",
                12,
            ),
            Panel(
                "table",
                "May be stuck",
                [("aitems_watcher_training_stuck", "{{service}} {{type}} {{version}}")],
                width=12,
            ),
            Panel(
                "table",
                "Overdue",
                [("aitems_watcher_retraining_overdue", "{{service}} {{type}} {{missing}}")],
                width=12,
            ),
        ),
    ),
    (
        "Polls",
        (
            Panel(
                "timeseries",
                "Polls by outcome",
                [("sum by (outcome) (rate(aitems_watcher_polls_total[5m]))", "{{outcome}}")],
                "reqps",
            ),
            Panel(
                "timeseries",
                "Share of the budget that is used",
                [(USED_BUDGET, "{{account}}")],
                "percentunit",
            ),
            Panel(
                "timeseries",
                "Lateness of polls",
                [
                    (
                        (
                            f"histogram_quantile({share}, sum by (le) "
                            "(rate(aitems_watcher_poll_lateness_seconds_bucket[5m])))"
                        ),
                        f"{share:.0%}",
                    )
                    for share in (0.5, 0.95)
                ],
                "s",
            ),
            Panel(
                "timeseries",
                "Longest time from a change to its record, 95 %",
                [
                    (
                        (
                            "histogram_quantile(0.95, sum by (le) "
                            '(rate(aitems_watcher_detection_delay_seconds_bucket{late="false"}[1h])))'
                        ),
                        "",
                    )
                ],
                "s",
            ),
            Panel("timeseries", "Incidents", [("aitems_watcher_incidents_open", "{{cause}}")]),
            Panel("timeseries", "Size of the store", [("aitems_watcher_store_bytes", "")], "bytes"),
        ),
    ),
    (
        "Notifications",
        (
            Panel(
                "timeseries",
                "Events, an hour",
                [("sum by (kind) (increase(aitems_watcher_events_total[1h]))", "{{kind}}")],
            ),
            Panel(
                "timeseries",
                "Delivery attempts",
                [
                    (
                        "sum by (receiver, state) (rate(aitems_watcher_delivery_attempts_total[5m]))",
                        "{{receiver}} {{state}}",
                    )
                ],
                "ops",
            ),
            Panel(
                "timeseries",
                "Deliveries that have not arrived",
                [("aitems_watcher_deliveries", "{{receiver}} {{state}}")],
            ),
            Panel(
                "timeseries",
                "Age of the oldest delivery",
                [("aitems_watcher_oldest_pending_delivery_age_seconds", "{{receiver}}")],
                "s",
            ),
            Panel(
                "timeseries",
                "Receivers that fail, since",
                [("aitems_watcher_receiver_failing_seconds", "{{receiver}}")],
                "s",
            ),
            Panel(
                "timeseries",
                "Heartbeats, an hour",
                [("sum by (outcome) (increase(aitems_watcher_heartbeats_total[1h]))", "{{outcome}}")],
            ),
        ),
    ),
)


def dashboard() -> dict[str, Any]:
    """Return the dashboard."""
    return {
        "uid": "aitems-watcher",
        "title": "AiTEMS watcher",
        "tags": ["aitems"],
        "schemaVersion": 39,
        "editable": True,
        "refresh": "30s",
        "time": {"from": "now-24h", "to": "now"},
        "templating": {
            "list": [{"name": "source", "type": "datasource", "query": "prometheus", "label": "Data source"}]
        },
        "panels": _panels(),
    }


def expressions() -> list[str]:
    """Return every query."""
    return [expression for _, panels in ROWS for panel in panels for expression, _ in panel.queries]


def _panels() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    x = y = tallest = 0
    for title, panels in ROWS:
        x, y = 0, y + tallest
        place = {"x": 0, "y": y, "w": COLUMNS, "h": 1}
        found.append({"type": "row", "title": title, "collapsed": False, "panels": [], "gridPos": place})
        y, tallest = y + 1, 0
        for panel in panels:
            if x + panel.width > COLUMNS:
                x, y, tallest = 0, y + tallest, 0
            place = {"x": x, "y": y, "w": panel.width, "h": panel.height}
            found.append(_panel(panel, place))
            x, tallest = x + panel.width, max(tallest, panel.height)
    return [{**item, "id": number} for number, item in enumerate(found, 1)]


def _panel(panel: Panel, place: dict[str, int]) -> dict[str, Any]:
    table = {"format": "table", "instant": True} if panel.kind == "table" else {}
    targets = [
        {"refId": chr(ord("A") + number), "datasource": SOURCE, "expr": expression, "legendFormat": legend, **table}
        for number, (expression, legend) in enumerate(panel.queries)
    ]
    return {
        "type": panel.kind,
        "title": panel.title,
        "datasource": SOURCE,
        "gridPos": place,
        "fieldConfig": {"defaults": {"unit": panel.unit}, "overrides": []},
        "targets": targets,
    }


def main() -> None:
    """Write the file."""
    FILE.write_text(json.dumps(dashboard(), indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
