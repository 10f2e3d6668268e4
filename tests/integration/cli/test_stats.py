"""``stats`` on a store: the table, JSON and CSV."""

from __future__ import annotations

import asyncio
import csv
import io
import json
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.integration.cli.support import Run, runner
from tests.support.runs import FIRST_END, ended_run
from watcher.core.batch import Batch
from watcher.core.durations.current_run import Bounds, RunStart
from watcher.core.durations.past_runs import Outcome
from watcher.core.training.model import Snapshot, TrainingRef
from watcher.core.training.run import EndedRun
from watcher.store.polls import PollStore
from watcher.store.sqlite.database import open_database

NOW = datetime.now(UTC)
CONFIG = """
[account.main]
access_key = { env = "A" }
secret_key = { env = "B" }
[state]
url = "sqlite:///here.db"
[[watch]]
service = "shop0000001"
name = "=shop"
[receiver.console]
kind = "log"
"""


def run_days_ago(number: int, minutes: float = 60, outcome: Outcome = Outcome.COMPLETED) -> EndedRun:
    """Return an invented run of the shop that ended on a day in the past."""
    run = ended_run(number, minutes, outcome)
    shift = NOW - timedelta(days=number) - run.ended.before

    def moved(bounds: Bounds) -> Bounds:
        return Bounds(after=bounds.after + shift, before=bounds.before + shift)

    assert run.start is not None
    start = moved(run.start.bounds)
    return replace(
        run,
        ref=TrainingRef("main", "shop0000001", "pop", f"v{number}"),
        start=RunStart(started_after=start.after, started_before=start.before),
        ended=moved(run.ended),
        stages=tuple(
            replace(stage, entered=stage.entered and moved(stage.entered), left=moved(stage.left))
            for stage in run.stages
        ),
    )


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TZ", "UTC")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.toml").write_text(CONFIG)
    runs = [
        *(run_days_ago(number, 66) for number in range(1, 9)),
        run_days_ago(9, 5, Outcome.FAILED),
        *(run_days_ago(number, 60) for number in range(31, 40)),
    ]
    known = Snapshot(ref=runs[0].ref, status="completed", seen_after=NOW, first_seen_at=FIRST_END)
    with closing(open_database(tmp_path / "here.db", purpose="test", now=NOW)) as database:
        asyncio.run(PollStore(database).record(Batch(snapshots=(known,), runs=tuple(runs))))
    return runner(capsys)


def test_the_table_has_a_row_a_service(run: Run) -> None:
    shown = run("stats", "--since", "30d")
    assert shown.status == 0
    heading, row, last = shown.out.splitlines()
    assert heading.startswith("SERVICE  RUNS  SUCCESS  STREAK")
    assert row.startswith("=shop    9     89 %     8 completed  1h6m")
    assert row.endswith("+10 %")
    assert last.startswith("9 runs since ")
    assert all(len(line) <= 80 for line in shown.out.splitlines())


def test_json_names_the_service_by_stage(run: Run) -> None:
    shown = run("stats", "=shop", "--by", "stage", "--since", "30d", "--json")
    report = json.loads(shown.out)
    assert [(row["stage"], row["runs"], row["completed"]) for row in report["rows"]] == [
        ("waiting", 8, None),
        ("learning", 8, None),
    ]
    assert report["by"] == "stage"
    assert report["rows"][1]["median_seconds"] == pytest.approx(66 * 60 * 0.9)


def test_csv_has_no_formula(run: Run) -> None:
    shown = run("stats", "--by", "type", "--csv")
    (row,) = csv.DictReader(io.StringIO(shown.out))
    assert (row["service_name"], row["training_type"], row["runs"]) == ("'=shop", "pop", "18")


@pytest.mark.parametrize(
    ("arguments", "status", "text"),
    [
        (("nobody",), 1, "there is no service 'nobody'"),
        (("--since", "1"), 2, "not a duration"),
        (("--since", "9999999d"), 2, "is longer than there are dates"),
        (("--json", "--csv"), 2, "choose one of --json and --csv"),
    ],
)
def test_wrong_usage_is_refused_in_words(run: Run, arguments: tuple[str, ...], status: int, text: str) -> None:
    shown = run("stats", *arguments)
    assert (shown.status, text in shown.err) == (status, True)


def test_a_period_that_has_no_period_before_is_answered(run: Run) -> None:
    assert json.loads(run("stats", "--since", "500000d", "--json").out)["rows"][0]["runs"] == 18


def test_no_run_is_said_in_words(run: Run) -> None:
    assert run("stats", "--since", "1m").out.startswith("no run has ended since ")
