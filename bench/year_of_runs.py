"""``python -m bench.year_of_runs FILE``: make a store with a year of invented runs, and measure the questions on it.

100 services with three types and four runs a day are 438,000 runs. ``--only-make`` leaves the measuring out.
"""

from __future__ import annotations

import argparse
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any, Final

from bench.invented_runs import log_normal
from watcher.core.durations.current_run import Bounds, CurrentRun, RunStart, Stage
from watcher.core.durations.past_runs import Outcome
from watcher.core.training.model import Snapshot, TrainingRef
from watcher.core.training.run import EndedRun, EndedStage
from watcher.store.rows import snapshot_row
from watcher.store.runs.rows import run_row, stage_rows
from watcher.store.sqlite.database import open_database

TYPES: Final = ("personalRecommend", "relatedItem", "pop")
RUNS_A_DAY: Final = 4
FAILED_SHARE: Final = 0.06
WIDTH: Final = timedelta(seconds=30)
"""The width of the bounds of each change: an interval."""
STAGES: Final = (("requesting", 0.02), ("waiting", 0.18), ("learning", 0.8))
CHUNK: Final = 5000
SEED: Final = 12
STATUSES: Final = {Outcome.COMPLETED: "completed", Outcome.FAILED: "learningFailed"}
ANSWERED: Final = {0, 1}
"""``status`` exits with 1, as no daemon runs."""
QUESTIONS: Final = (
    ("stats", "--json"),
    ("stats", "--by", "type", "--json"),
    ("stats", "--by", "stage", "--json"),
    ("stats", "service042", "--by", "type", "--json"),
    ("stats", "--since", "365d", "--json"),
    ("stats", "--by", "stage", "--since", "365d", "--json"),
    ("status", "--json"),
    ("status", "service042", "pop", "now0420000", "--json"),
    ("export", "runs", "--format", "csv"),
    ("export", "runs", "--format", "jsonl"),
    ("export", "runs", "--format", "parquet", "-o", "{folder}/runs.parquet"),
    ("plot", "service042", "-o", "{folder}/service.svg"),
)
YARDSTICK: Final = """
import csv, sqlite3, sys
csv.writer(sys.stdout).writerows(sqlite3.connect(sys.argv[1]).execute(
    "SELECT account, service, type, version, hpo, outcome, status, started_after, started_before, ended_after, "
    "ended_before, seconds, uncertain_seconds, restored FROM run ORDER BY ended_before, subject, seq"))
"""
CONFIG: Final = """
[account.main]
access_key = {{ env = "ACCESS" }}
secret_key = {{ env = "SECRET" }}
[state]
url = "sqlite:///{path}"
[[watch]]
service = "*"
[receiver.log]
kind = "log"
"""


def make_store(path: Path, services: int = 100, days: int = 365) -> int:
    """Make a store whose runs end up to the present; return their number."""
    now = datetime.now(UTC)
    open_database(path, purpose="bench", now=now).close()
    count = 0
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA synchronous=OFF")
        for runs in _chunks(_runs(now, services, days)):
            count += len(runs)
            _insert(connection, "run", [run_row(run) for run in runs])
            _insert(connection, "stage", [row for run in runs for row in stage_rows(run)])
        _insert(connection, "training", [snapshot_row(item) for item in _trainings(now, services)])
        connection.commit()
    return count


def _runs(now: datetime, services: int, days: int) -> Iterator[EndedRun]:
    """Yield the runs in the order of their ends."""
    draw = Random(SEED)  # noqa: S311 - invented durations
    names = [(f"service{number:03}", kind) for number in range(services) for kind in TYPES]
    levels = {name: draw.uniform(600, 7200) for name in names}
    step = timedelta(days=1) / RUNS_A_DAY
    for number in range(days * RUNS_A_DAY, 0, -1):
        for place, (service, kind) in enumerate(names):
            end = now - number * step + place * timedelta(seconds=1)
            ref = TrainingRef("main", service, kind, f"v{days * RUNS_A_DAY - number:06}")
            yield _run(ref, end, timedelta(seconds=levels[service, kind] * log_normal(0.2)(draw, 0)), draw)


def _run(ref: TrainingRef, end: datetime, duration: timedelta, draw: Random) -> EndedRun:
    failed = draw.random() < FAILED_SHARE
    start = end - duration * (draw.random() if failed else 1)
    times, at = [start], start
    for _status, share in STAGES:
        at += (end - start) * share
        times.append(at)
    bounds = [Bounds(after=time - WIDTH / 2, before=time + WIDTH / 2) for time in times]
    outcome = Outcome.FAILED if failed else Outcome.COMPLETED
    return EndedRun(
        ref=ref,
        seq=4,
        outcome=outcome,
        status=STATUSES[outcome],
        hpo=False,
        start=RunStart(started_after=bounds[0].after, started_before=bounds[0].before),
        ended=bounds[-1],
        stages=tuple(
            EndedStage(status=status, entered=bounds[place], left=bounds[place + 1])
            for place, (status, _share) in enumerate(STAGES)
        ),
    )


def _trainings(now: datetime, services: int) -> Iterator[Snapshot]:
    """Yield 1000 ended trainings a service, and one in progress a service and type."""
    for number in range(services):
        service = f"service{number:03}"
        for version in range(1000):
            ref = TrainingRef("main", service, TYPES[version % len(TYPES)], f"old{number:03}{version:04}")
            changed = now - timedelta(hours=version + 1)
            yield Snapshot(
                ref=ref,
                status="completed",
                seen_after=now,
                changed_after=changed - WIDTH,
                changed_before=changed,
                first_seen_at=changed - timedelta(hours=1),
            )
        for place, kind in enumerate(TYPES):
            begun = Bounds(after=now - timedelta(minutes=5) - WIDTH, before=now - timedelta(minutes=5))
            start = RunStart(started_after=begun.after, started_before=begun.before)
            yield Snapshot(
                ref=TrainingRef("main", service, kind, f"now{number:03}{(place + 1) % len(TYPES):04}"),
                status="learning",
                seen_after=now,
                changed_after=begun.after,
                changed_before=begun.before,
                first_seen_at=begun.before,
                run=CurrentRun(start=start, stages=(Stage(status="learning", entered=begun),)),
                record={"hpConfig": {"is_enabled": False}},
            )


def _insert(connection: sqlite3.Connection, table: str, rows: Sequence[dict[str, Any]]) -> None:
    marks = ", ".join("?" for _ in rows[0])
    statement = f"INSERT INTO {table} ({', '.join(rows[0])}) VALUES ({marks})"  # noqa: S608 - our own names
    connection.executemany(statement, [tuple(row.values()) for row in rows])


def _chunks(runs: Iterator[EndedRun]) -> Iterator[list[EndedRun]]:
    chunk: list[EndedRun] = []
    for run in runs:
        chunk.append(run)
        if len(chunk) == CHUNK:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def measure(path: Path) -> Iterator[str]:
    """Ask each question in a process of its own; yield its time and the peak of its memory."""
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "config.toml"
        config.write_text(CONFIG.format(path=path.resolve()))
        for question in QUESTIONS:
            words = [word.format(folder=folder) for word in question]
            yield _line(" ".join(question), [sys.executable, "-m", "watcher", *words, "--config", str(config)])
        yield _line("yardstick: sqlite3 and csv by themselves", [sys.executable, "-c", YARDSTICK, str(path)])


def _line(name: str, command: Sequence[str]) -> str:
    begun = time.monotonic()
    with Path(os.devnull).open("wb") as nowhere, subprocess.Popen(command, stdout=nowhere) as process:  # noqa: S603
        _pid, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    seconds, cpu = time.monotonic() - begun, usage.ru_utime + usage.ru_stime
    ended = "" if process.returncode in ANSWERED else f"  exit status {process.returncode}"
    return f"{name:<48} {seconds:6.2f} s  {cpu:6.2f} s CPU  {usage.ru_maxrss // 1024:5} MiB{ended}"


def main() -> None:
    """Make the store where it does not exist, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--services", type=int, default=100)
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--only-make", action="store_true")
    options = parser.parse_args()
    if not options.file.exists():
        sys.stdout.write(f"{make_store(options.file, options.services, options.days)} runs\n")
    if not options.only_make:
        for line in measure(options.file):
            sys.stdout.write(f"{line}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
