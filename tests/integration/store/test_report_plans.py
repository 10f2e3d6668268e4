"""What the reports read: the rows of a table grow for months, so that no report may read all of one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, event
from sqlalchemy.engine.interfaces import CacheStats

from watcher.core.action import OF_RECEIVERS, Action, ActionKind
from watcher.core.delivery.state import OPEN_STATES, State
from watcher.core.durations.past_runs import Population
from watcher.core.timestamps import from_text, to_text
from watcher.core.training.earlier_runs import RunGroup, RunsWanted
from watcher.core.training.model import ServiceRef, TrainingRef
from watcher.core.training.retraining import RetrainingRef
from watcher.store.actions import beside, latest, latest_on
from watcher.store.delivery.views import DeliveryFilter, last_delivered
from watcher.store.errors import StoreUnusable
from watcher.store.export import Exported, events_of_deliveries, export_page
from watcher.store.health_stats import health_stats
from watcher.store.runs import history, queries
from watcher.store.runs import latest as results
from watcher.store.runs.retrainings import retraining_of
from watcher.store.sqlite.database import Database, open_database
from watcher.store.trainings import Order, TrainingQuery
from watcher.store.url import sqlite_url
from watcher.store.views import HistoryFilter, Views, open_views

NOW = from_text("2026-11-23T02:00:00.000000Z")
REF = TrainingRef("main", "s", "pop", "v1")
GROWING = ("training", "event", "delivery", "ledger", "line", "run", "stage", "operator_action")
"""The tables that grow with the trainings and with time."""
SMALL = ("ix_event_unrouted",)
"""Indexes of what waits, which is little."""


def find(**wanted: object) -> Callable[[Views], object]:
    query = TrainingQuery(statuses=frozenset({"learning"}), **wanted)  # type: ignore[arg-type]  # the fields of a query
    return lambda views: list(views.find_trainings(query))


READS: dict[str, Callable[[Views], object]] = {
    "/metrics, /readyz and status": lambda views: health_stats(views, "sqlite:////dev/null", NOW),
    "status: deliveries": Views.queues,
    "status: deliveries that failed": lambda views: views.queues([State.DEAD, State.SILENCED]),
    "status: dead and held": lambda views: views.deliveries(DeliveryFilter(states=frozenset({State.DEAD, State.HELD}))),
    "status: counts of trainings": Views.training_counts,
    "status: trainings": find(order=Order.LONGEST, limit=20),
    "status of a service": find(service=ServiceRef("main", "s"), limit=20),
    "status of a training": lambda views: (views.one_training(REF), views.known_statuses([REF])),
    "status: all trainings": find(order=Order.NAME, limit=20),
    "history": lambda views: (views.history(HistoryFilter()), views.newest_position()),
    "history of a training": lambda views: views.history(HistoryFilter(subject=REF.subject)),
    "history --since": lambda views: views.history(HistoryFilter(since=NOW - timedelta(hours=1), limit=None)),
    "history --follow": lambda views: views.history(HistoryFilter(after=7, limit=None)),
    "deliveries": lambda views: views.deliveries(DeliveryFilter()),
    "page of deliveries: actions": lambda views: (
        latest(views.connection, OF_RECEIVERS, 20),
        latest_on(views.connection, ["hook"], {ActionKind.TEST}),
        views.deliveries(DeliveryFilter(states=frozenset(State), ids=frozenset({"a"}), limit=20)),
        beside(views.connection, Action(kind=ActionKind.RETRY, target="a", author="kim", at=NOW), 200),
    ),
    "page of deliveries: the oldest that wait": lambda views: views.deliveries(
        DeliveryFilter(states=OPEN_STATES, oldest=True)
    ),
    "page of deliveries: the last delivery of each receiver": lambda views: last_delivered(views.connection, ["hook"]),
    "deliveries of a receiver": lambda views: views.deliveries(DeliveryFilter(receiver="hook")),
}
WEEK = queries.Period(since=NOW - timedelta(days=7), before=NOW)
STREAK = RunsWanted(streak=True)
TYPE = results.TypeRef("main", "s", "pop")
LEARNING = Population("main", "pop", "s", hpo=False, stage="learning")
READS |= {
    "stats": lambda views: list(queries.run_lines(views.connection, WEEK)),
    "stats of a service": lambda views: list(queries.run_lines(views.connection, WEEK, REF.service_ref)),
    "stats --by stage": lambda views: list(queries.stage_lines(views.connection, WEEK)),
    "stats of a service --by stage": lambda views: list(queries.stage_lines(views.connection, WEEK, REF.service_ref)),
    "usual durations": lambda views: [
        history.past_runs(views.connection, population, NOW)
        for population in (LEARNING, replace(LEARNING, stage=None), Population("main", "pop"))
    ],
    "runs of a training": lambda views: (
        queries.runs_of(views.connection, REF, 5),
        history.last_good(views.connection, REF, NOW),
    ),
    "export runs": lambda views: (
        export_page(views.connection, Exported.RUNS, None, None),
        export_page(views.connection, Exported.RUNS, NOW, ("", "", 0)),
    ),
    "export events": lambda views: export_page(views.connection, Exported.EVENTS, NOW, None),
    "export deliveries": lambda views: (
        export_page(views.connection, Exported.DELIVERIES, NOW, (7,)),
        events_of_deliveries(views.connection, ["a"]),
    ),
    "page of a training: other runs": lambda views: (
        history.read_earlier(views.connection, RunGroup("main", "s", "pop", hpo=False), STREAK, NOW, NOW),
        results.latest_results(views.connection, TYPE, 11),
        results.first_failure_since(views.connection, TYPE, ""),
    ),
    "page of a service: one type": lambda views: (
        list(queries.runs_of_service(views.connection, REF.service_ref, WEEK, "pop")),
        results.latest_hpo(views.connection, TYPE),
        history.past_runs(views.connection, replace(LEARNING, stage=None), WEEK.since, before=WEEK.since),
        retraining_of(views.connection, RetrainingRef("main", "s", "pop")),
        views.history(HistoryFilter(subject=REF.subject, kinds=frozenset({"update-failed"}), limit=8)),
    ),
    "overview: types": lambda views: results.types_with_runs(views.connection),
    "plot of a service": lambda views: list(queries.runs_of_service(views.connection, REF.service_ref, WEEK)),
}


@pytest.mark.parametrize("read", READS)
def test_a_report_seeks_its_rows_or_counts_them_in_an_index(database: Database, read: str) -> None:
    with open_views(database.url) as views:
        for statement, steps in plans_of(views, READS[read]):
            for step in steps:
                assert not reads_whole_table(step, statement), f"{step}: {statement}"


@pytest.mark.parametrize(
    "read",
    [
        lambda views: views.training_counts(REF.service_ref),
        find(service=REF.service_ref, limit=20),
        find(service=REF.service_ref, gone=True, order=Order.LATEST, limit=20),
    ],
    ids=["counts", "in progress", "all"],
)
def test_the_trainings_of_one_service_are_sought_by_its_name(
    database: Database, read: Callable[[Views], object]
) -> None:
    with open_views(database.url) as views:
        steps = [step for _, steps in plans_of(views, read) for step in steps if " training " in step]
    # The statuses that there are take one search of the index for each.
    of_statuses = ("SEARCH training USING COVERING INDEX ix_training_status", "(status>?)")
    assert any("service=?" in step for step in steps)
    assert [step for step in steps if "service=?" not in step and not step.endswith(of_statuses)] == []


def test_the_types_with_runs_are_sought_one_by_one(database: Database) -> None:
    with open_views(database.url) as views:
        steps = [step for _, steps in plans_of(views, READS["overview: types"]) for step in steps if " run " in step]
    assert len(steps) == 8
    assert [step for step in steps if not step.startswith("SEARCH run USING COVERING INDEX ix_run_")] == []


def test_a_further_read_compiles_no_statement_anew(database: Database) -> None:
    def compiled() -> list[str]:
        found: list[str] = []

        def note(_c: object, _cursor: object, statement: str, _p: object, context: Any, _many: object) -> None:
            if context.cache_hit is not CacheStats.CACHE_HIT:
                found.append(statement)

        with open_views(database.url) as views:
            event.listen(views.connection, "before_cursor_execute", note)
            views.polls()
            views.history(HistoryFilter())
            event.remove(views.connection, "before_cursor_execute", note)
        return found

    assert len(compiled()) == 2
    assert compiled() == []


def test_a_store_that_was_moved_away_and_one_in_its_place_are_noticed(tmp_path: Path) -> None:
    path = tmp_path / "watcher.db"

    def created_at() -> str:
        with open_views(sqlite_url(path)) as views:
            return views.facts()["created_at"]

    open_database(path, purpose="test", now=NOW).close()
    assert created_at() == to_text(NOW)
    path.rename(tmp_path / "aside")
    with pytest.raises(StoreUnusable, match="there is no store"):
        created_at()
    open_database(path, purpose="test", now=NOW + timedelta(days=1)).close()
    assert created_at() == to_text(NOW + timedelta(days=1))


def reads_whole_table(step: str, statement: str) -> bool:
    """Say whether a step reads every row of a growing table, or every row that it counts."""
    words = step.split()
    if " ".join(words[1:2]) not in GROWING or "COVERING" in words or any(name in words for name in SMALL):
        return False
    # The first rows of a table in its own order are few.
    few = "LIMIT" in statement and "ORDER BY" in statement
    counts = "count(" in statement and "INDEX" in words
    return counts or (words[0] == "SCAN" and not few)


def plans_of(views: Views, read: Callable[[Views], object]) -> list[tuple[str, list[str]]]:
    """Return each statement of a read with the steps of its plan."""
    statements: list[tuple[str, tuple[object, ...]]] = []

    def note(_c: Connection, _cursor: object, statement: str, parameters: tuple[object, ...], *_: object) -> None:
        statements.append((statement, parameters))

    event.listen(views.connection, "before_cursor_execute", note)
    read(views)
    event.remove(views.connection, "before_cursor_execute", note)
    assert statements
    explain = views.connection.exec_driver_sql
    return [(text, [row[-1] for row in explain(f"EXPLAIN QUERY PLAN {text}", values)]) for text, values in statements]
