"""``status`` shows the runs of trainings: those in progress beside earlier ones, and a training whole."""

from __future__ import annotations

import asyncio
import json
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection, event

from tests.integration.cli.support import Run, runner
from tests.integration.cli.test_stats import CONFIG, NOW, run_days_ago
from watcher.core.batch import Batch
from watcher.core.durations.current_run import Bounds, CurrentRun, RunStart, Stage
from watcher.core.training.model import Snapshot, TrainingRef
from watcher.reading.trainings import with_progress
from watcher.reports.status import KnownTraining
from watcher.store.polls import PollStore
from watcher.store.sqlite.database import open_database
from watcher.store.views import open_views

RUNS = [run_days_ago(number) for number in range(1, 8)]


def in_progress(version: str) -> Snapshot:
    at = NOW - timedelta(minutes=10)
    began = Bounds(after=at - timedelta(seconds=10), before=at)
    start = RunStart(started_after=began.after, started_before=began.before)
    return Snapshot(
        ref=TrainingRef("main", "shop0000001", "pop", version),
        status="learning",
        seen_after=NOW,
        first_seen_at=at,
        run=CurrentRun(start=start, stages=(Stage(status="learning", entered=began),)),
        record={"hpConfig": {"is_enabled": False, "item_top_n": 5}},
    )


@pytest.fixture
def store(tmp_path: Path) -> Path:
    (tmp_path / "config.toml").write_text(CONFIG.replace("here.db", str(tmp_path / "here.db")))
    good = Snapshot(
        ref=RUNS[0].ref,
        status="completed",
        seen_after=NOW,
        first_seen_at=NOW,
        record={"hpConfig": {"is_enabled": False, "item_top_n": 2}},
    )
    snapshots = (good, *(in_progress(f"w{number}") for number in range(30)))
    with closing(open_database(tmp_path / "here.db", purpose="test", now=NOW)) as database:
        asyncio.run(PollStore(database).record(Batch(snapshots=snapshots, runs=tuple(RUNS))))
    return tmp_path / "config.toml"


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("COLUMNS", "80")
    return runner(capsys)


def test_a_training_in_progress_is_shown_whole(run: Run, store: Path) -> None:
    shown = run("status", "shop0000001", "pop", "w0", "--config", store).out
    assert "; usually 56m to 1h4m, 7 runs" in shown
    assert "last good v1, completed 24h ago" in shown
    assert "changed   item_top_n 2 → 5" in shown
    document = json.loads(run("status", "shop0000001", "pop", "w0", "--json", "--config", store).out)
    assert document["training"]["run"]["expected_end"]["runs"] == 7
    assert document["usual_stages"]["learning"]["runs"] == 7
    assert document["last_good"]["changes"] == [{"option": "item_top_n", "old": 2, "new": 5}]


def test_a_training_that_has_ended_is_compared_with_one_that_ended_before(run: Run, store: Path) -> None:
    document = json.loads(run("status", "shop0000001", "pop", "v1", "--json", "--config", store).out)
    assert document["last_good"]["version"] == "v2"
    assert [item["outcome"] for item in document["runs"]] == ["completed"]
    assert [item["status"] for item in document["runs"][0]["stages"]] == ["waiting", "learning"]
    assert document["current_run"] is None


def test_the_table_has_the_expected_end_of_trainings_in_progress(run: Run, store: Path) -> None:
    shown = run("status", "--config", store).out
    assert "EXPECTED END" in shown
    assert all(len(line) <= 80 for line in shown.splitlines() if line.startswith(("=shop", "SERVICE")))
    document = json.loads(run("status", "--json", "--config", store).out)
    assert {item["run"]["usual"]["runs"] for item in document["trainings"]} == {7}


@pytest.mark.parametrize("trainings", [1, 5, 30])
def test_the_runs_of_a_population_are_read_once_for_all_its_trainings(store: Path, trainings: int) -> None:
    known = [
        KnownTraining(snapshot=in_progress(f"w{number}"), name=None, last_seen=NOW, watched=True)
        for number in range(trainings)
    ]
    statements: list[str] = []

    def note(_connection: Connection, _cursor: object, statement: str, *_: object) -> None:
        statements.append(statement)

    with open_views(f"sqlite:///{store.parent / 'here.db'}") as views:
        event.listen(views.connection, "before_cursor_execute", note)
        found = with_progress(views, known, NOW)
    assert len(statements) == 1
    assert all(item.progress is not None and item.progress.expected is not None for item in found)
