"""``export`` on a store: every row once, in order, page by page; formats, files and hostile texts."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import sqlite3
import sys
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.integration.cli.support import Run, runner
from tests.integration.cli.test_stats import CONFIG, NOW, run_days_ago
from tests.support import routing
from tests.unit.reports.facts import event
from watcher.cli.text.csv_lines import csv_field
from watcher.core.batch import Batch
from watcher.core.durations.past_runs import Outcome
from watcher.core.routing.reason import routed
from watcher.core.routing.routes import Recipient, RoutingDecision
from watcher.core.timestamps import to_text
from watcher.core.training.model import Snapshot, TrainingRef
from watcher.reports.runs.exports import FIELDS
from watcher.store import export
from watcher.store.outbox import Outbox
from watcher.store.polls import PollStore
from watcher.store.sqlite.database import Database, open_database

ROWS = 7
TABLES = tuple(export.Exported)
EVIL = '=HYPERLINK("http://x";"\n,")'


def ref(number: int) -> TrainingRef:
    return TrainingRef("main", "shop0000001", "pop", EVIL if number == 0 else f"v{number}")


async def fill(database: Database) -> None:
    snapshots = [
        Snapshot(
            ref=ref(number),
            status="learning",
            seen_after=NOW,
            first_seen_at=NOW - timedelta(days=number),
            record={"hpConfig": {"n": number}},
        )
        for number in range(ROWS)
    ]
    # Two runs end at the same time; the end of a page must not lose one of them.
    runs = [
        replace(run_days_ago(max(number, 1), outcome=Outcome.FAILED if number else Outcome.COMPLETED), ref=ref(number))
        for number in range(ROWS)
    ]
    events = [
        event(
            id=f"evt_{number}",
            subject=ref(number).subject,
            service="shop0000001",
            version=ref(number).version,
            recorded_at=NOW - timedelta(days=ROWS - number),
        )
        for number in range(ROWS)
    ]
    await PollStore(database).record(Batch(snapshots=tuple(snapshots), runs=tuple(runs), events=tuple(events)))
    decision = RoutingDecision(to=(Recipient(receiver="hook"),), reason=routed(1))
    await routing.enqueue(Outbox(database), [(item, decision) for item in events], lambda *_: b"x", NOW)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.toml").write_text(CONFIG)
    with closing(open_database(tmp_path / "here.db", purpose="test", now=NOW)) as database:
        asyncio.run(fill(database))
    return runner(capsys)


@pytest.mark.parametrize("page", [1, 2, ROWS])
@pytest.mark.parametrize("table", TABLES)
def test_every_row_is_exported_once_whatever_the_size_of_a_page(
    run: Run, monkeypatch: pytest.MonkeyPatch, table: str, page: int
) -> None:
    monkeypatch.setattr(export, "PAGE", page)
    shown = run("export", table, "--format", "csv")
    assert shown.status == 0
    rows = list(csv.DictReader(io.StringIO(shown.out, newline="")))
    assert len({json.dumps(row) for row in rows}) == len(rows) == ROWS
    assert tuple(rows[0]) == FIELDS[export.Exported(table)]


@pytest.mark.parametrize("table", [table for table in TABLES if table is not export.Exported.DELIVERIES])
def test_no_text_in_csv_is_a_formula_and_json_has_it_unchanged(run: Run, table: str) -> None:
    versions = [row["version"] for row in csv.DictReader(io.StringIO(run("export", table).out, newline=""))]
    assert f"'{EVIL}" in versions
    assert not any(text.startswith("=") for text in versions)
    lines = run("export", table, "--format", "jsonl").out.splitlines()
    assert EVIL in [json.loads(line)["version"] for line in lines]
    assert all(line.isascii() for line in lines)


def test_runs_come_in_the_order_of_their_ends_with_seconds_and_times(run: Run) -> None:
    rows = [json.loads(line) for line in run("export", "runs", "--format", "jsonl").out.splitlines()]
    assert [row["ended_before"] for row in rows] == sorted(row["ended_before"] for row in rows)
    assert {row["seconds"] for row in rows} == {3600.0}
    assert (rows[0]["hpo"], rows[0]["restored"], rows[0]["outcome"]) == (False, False, "failed")
    assert rows[0]["started_after"].endswith("Z")


def test_a_delivery_names_its_events_and_the_training_its_record(run: Run) -> None:
    (first, *_) = csv.DictReader(io.StringIO(run("export", "deliveries").out))
    assert (first["receiver"], first["state"], first["event_ids"]) == ("hook", "pending", "evt_0")
    rows = [json.loads(line) for line in run("export", "trainings", "--format", "jsonl").out.splitlines()]
    assert {row["record"]["hpConfig"]["n"] for row in rows} == set(range(ROWS))


@pytest.mark.parametrize(
    ("table", "since", "count"),
    [
        ("runs", "2d12h", 3),
        ("trainings", "2d12h", 3),
        ("events", "2d12h", 2),
        ("events", "1m", 0),
        ("deliveries", "1d", ROWS),
    ],
)
def test_only_rows_of_the_time_are_exported(
    run: Run, monkeypatch: pytest.MonkeyPatch, table: str, since: str, count: int
) -> None:
    monkeypatch.setattr(export, "PAGE", 2)
    assert len(run("export", table, "--since", since, "--format", "jsonl").out.splitlines()) == count


def test_a_file_appears_once_it_is_complete(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("export", "runs", "-o", "runs.csv").out == ""
    whole = (tmp_path / "runs.csv").read_text()
    assert len(list(csv.DictReader(io.StringIO(whole, newline="")))) == ROWS
    monkeypatch.setattr("watcher.reports.runs.exports.read_event", lambda _body: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        run("export", "events", "-o", "runs.csv")
    assert (tmp_path / "runs.csv").read_text() == whole


@pytest.mark.parametrize("table", TABLES)
def test_parquet_has_the_rows_of_csv_with_types(
    run: Run, tmp_path: Path, table: export.Exported, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "PAGE", 2)
    assert run("export", table, "--format", "parquet", "-o", "rows.parquet").status == 0
    lines = list(csv.DictReader(io.StringIO(run("export", table).out, newline="")))
    file = pq.ParquetFile(tmp_path / "rows.parquet")
    assert (file.schema_arrow.names, file.num_row_groups) == (list(FIELDS[table]), -(-len(lines) // 2))
    assert [_as_csv(row) for row in file.read().to_pylist()] == lines
    types = {field.name: str(field.type) for field in file.schema_arrow}
    assert {types[name] for name in types if name.endswith(("_at", "after", "before"))} == {"timestamp[us, tz=UTC]"}


def _as_csv(row: dict[str, object]) -> dict[str, str]:
    found = {}
    for name, value in row.items():
        text = " ".join(value) if isinstance(value, list) else to_text(value) if isinstance(value, datetime) else value
        found[name] = "" if text is None else str(csv_field(text))
    return found


def test_without_pyarrow_the_command_that_installs_it_is_named(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    shown = run("export", "runs", "--format", "parquet", "-o", "runs.parquet")
    assert (shown.status, "pip install 'aitems-watcher[parquet]'" in shown.err) == (2, True), shown.err


@pytest.mark.parametrize(
    ("arguments", "status", "text"),
    [
        (("runs", "--output", "no/such/folder.csv"), 1, "cannot write no/such/folder.csv"),
        (("runs", "--format", "xlsx"), 2, "'xlsx'"),
        (("runs", "--format", "parquet"), 2, "a Parquet file is binary: add its name"),
        (("runs", "--format", "parquet", "-o", "no/such/runs.parquet"), 1, "cannot write no/such/runs.parquet"),
        (("polls",), 2, "'polls'"),
        (("runs", "--since", "x"), 2, "not a duration"),
    ],
)
def test_wrong_usage_is_refused_in_words(run: Run, arguments: tuple[str, ...], status: int, text: str) -> None:
    shown = run("export", *arguments)
    assert (shown.status, text in shown.err) == (status, True), shown.err


def test_nothing_is_written_where_the_store_cannot_be_read(run: Run, tmp_path: Path) -> None:
    (tmp_path / "here.db").unlink()
    shown = run("export", "runs")
    assert (shown.status, shown.out) == (75, "")


@pytest.mark.parametrize(
    ("revision", "remedy"),
    [("0010", "stop the watcher and run `aitems-watcher migrate`"), ("0099", "install the version that made it")],
)
def test_a_store_of_another_schema_is_named_with_its_remedy(
    run: Run, tmp_path: Path, revision: str, remedy: str
) -> None:
    with closing(sqlite3.connect(tmp_path / "here.db", isolation_level=None)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = ?", (revision,))
        connection.execute("DROP TABLE run")
    shown = run("export", "runs")
    assert (shown.status, remedy in shown.err, "no such table" in shown.err) == (75, True, True)
