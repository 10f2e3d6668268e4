"""The runs of trainings and their stages, read from the events that an older version recorded."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Any, TypeVar

import sqlalchemy as sa
from alembic import op

from watcher.core.durations.current_run import Bounds, CurrentRun, RunStart, Stage
from watcher.core.event import Event
from watcher.core.event_json import read_run
from watcher.core.timestamps import from_text
from watcher.core.training.model import NOT_ENDED, PHASES
from watcher.core.training.run import EndedRun, replayed
from watcher.store.rows import read_event
from watcher.store.runs.rows import run_row, stage_rows, write_current_run

revision = "0011"
down_revision = "0010"

Stored = TypeVar("Stored")
Fact = TypeVar("Fact")
CHUNK = 500
"""Trainings whose events are in memory at a time."""
TIMES = ("started_after", "started_before", "ended_after", "ended_before")


def upgrade() -> None:
    """Make the tables, and fill them from the events of each training."""
    _make_run()
    _make_stage()
    _fill()


def _make_run() -> None:
    op.create_table(
        "run",
        sa.Column("subject", sa.Text, primary_key=True),
        sa.Column("seq", sa.Integer, primary_key=True, autoincrement=False),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("account", "service", "type", "version")),
        sa.Column("hpo", sa.Boolean),
        sa.Column("outcome", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        *(sa.Column(name, sa.Text, nullable=name.startswith("started")) for name in TIMES),
        sa.Column("seconds", sa.Float),
        sa.Column("uncertain_seconds", sa.Float),
        sa.Column("restored", sa.Boolean, nullable=False, server_default=sa.false()),
    )
    op.create_index("ix_run_service", "run", ["account", "service", "type", "outcome", "ended_before"])
    op.create_index("ix_run_type", "run", ["account", "type", "outcome", "ended_before"])
    op.create_index("ix_run_ended", "run", ["ended_before"])


def _make_stage() -> None:
    op.create_table(
        "stage",
        sa.Column("subject", sa.Text, primary_key=True),
        sa.Column("seq", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("entered_after", sa.Text),
        sa.Column("entered_before", sa.Text),
        sa.Column("left_after", sa.Text, nullable=False),
        sa.Column("left_before", sa.Text, nullable=False),
        sa.Column("seconds", sa.Float),
        sa.Column("uncertain_seconds", sa.Float),
    )


def _fill() -> None:
    connection = op.get_bind()
    running: dict[str, CurrentRun] = {}
    for subject, events in _events_of_trainings(connection):
        ended, current = replayed(events)
        _insert(connection, ended)
        if current is not None:
            running[subject] = current
    _convert_current(connection, running)


def _events_of_trainings(connection: sa.Connection) -> Iterator[tuple[str, Iterator[Event]]]:
    event = sa.table("event", sa.column("subject"), sa.column("seq"), sa.column("body"))
    query = sa.select(event.c.subject, event.c.body).where(event.c.subject.startswith("training:"))
    rows = connection.execute(query.order_by(event.c.subject, event.c.seq).execution_options(yield_per=CHUNK))
    for subject, own in groupby(rows, key=lambda row: row.subject):
        events = (_readable(read_event, row.body) for row in own)
        yield subject, (item for item in events if item is not None)


def _insert(connection: sa.Connection, runs: Sequence[EndedRun]) -> None:
    stages = [row for run in runs for row in stage_rows(run)]
    for table, rows in (("run", [run_row(run) for run in runs]), ("stage", stages)):
        if rows:
            connection.execute(sa.insert(sa.table(table, *(sa.column(name) for name in rows[0]))), rows)


def _convert_current(connection: sa.Connection, running: Mapping[str, CurrentRun]) -> None:
    names = ("subject", "status", "changed_after", "changed_before", "run")
    training = sa.table("training", *(sa.column(name) for name in names))
    ended = [str(status) for status, phase in PHASES.items() if phase not in NOT_ENDED]
    query = sa.select(training).where(training.c.status.not_in(ended) | training.c.run.is_not(None))
    change = sa.update(training).where(training.c.subject == sa.bindparam("key")).values(run=sa.bindparam("new"))
    for row in connection.execute(query).all():
        run = _current(row, running.get(row.subject))
        connection.execute(change, {"key": row.subject, "new": write_current_run(run)})


def _current(row: sa.Row[Any], run: CurrentRun | None) -> CurrentRun:
    """Return the run of a training in progress: with the stages of its events, and the start that its row knows."""
    if run is None or run.stage.status != row.status:
        entered = _readable(_bounds, (row.changed_after, row.changed_before))
        run = CurrentRun(start=None, stages=(Stage(status=row.status or "", entered=entered),))
    start = _readable(_start, row.run)
    return run if start is None else replace(run, start=start)


def _start(column: str) -> RunStart:
    return read_run(json.loads(column))


def _bounds(times: tuple[str, str]) -> Bounds:
    after, before = times
    return Bounds(after=from_text(after), before=from_text(before))


def _readable(read: Callable[[Stored], Fact], column: Stored) -> Fact | None:
    # A migration must not stop at a row that says less; a run then teaches nothing.
    try:
        return read(column)
    except (KeyError, TypeError, ValueError):
        return None
