"""The retrainings of each service and type, read from the runs that an older version recorded."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from alembic import op

from watcher.core.durations.current_run import Bounds
from watcher.core.durations.past_runs import Outcome
from watcher.core.durations.regular_starts import MOST_STARTS
from watcher.core.timestamps import from_text
from watcher.core.training.absence import GoodVersion
from watcher.core.training.model import TrainingRef
from watcher.core.training.retraining import Retraining, RetrainingRef
from watcher.store.runs.retrainings import retraining_row
from watcher.store.runs.rows import read_current_run

revision = "0012"
down_revision = "0011"

COLUMNS = ("subject", "account", "since", "starts", "last_good", "reported", "seq")
"""Those of this revision; later ones added others."""

_run = sa.table(
    "run",
    *(sa.column(name) for name in ("subject", "seq", "account", "service", "type", "version", "outcome")),
    *(sa.column(name) for name in ("started_after", "started_before", "ended_after", "ended_before")),
)
_stage = sa.table("stage", sa.column("subject"), sa.column("seq"))
_training = sa.table("training", *(sa.column(name) for name in ("subject", "first_seen_at", "run")))


def upgrade() -> None:
    """Make the table, and fill it from the trainings and their runs."""
    op.create_table(
        "retraining",
        sa.Column("subject", sa.Text, primary_key=True),
        sa.Column("account", sa.Text, nullable=False, server_default=""),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("since", "starts")),
        sa.Column("last_good", sa.Text),
        sa.Column("reported", sa.Text, nullable=False),
        sa.Column("seq", sa.Integer, nullable=False),
    )
    rows = [_columns(state) for state in _retrainings(op.get_bind())]
    if rows:
        table = sa.table("retraining", *(sa.column(name) for name in COLUMNS))
        op.get_bind().execute(sa.insert(table), rows)


def _columns(state: Retraining) -> dict[str, Any]:
    row = retraining_row(state)
    return {name: row[name] for name in COLUMNS}


def _retrainings(connection: sa.Connection) -> Iterator[Retraining]:
    current: dict[RetrainingRef, list[Bounds]] = {}
    since: dict[RetrainingRef, datetime] = {}
    for row in connection.execute(sa.select(_training).order_by(_training.c.first_seen_at)):
        read = _read(row)
        if read is not None:
            since.setdefault(read.ref, read.since)
            current.setdefault(read.ref, []).extend(read.starts)
    for ref, first_seen_at in since.items():
        known = Retraining(ref=ref, since=first_seen_at, last_good=_last_good(connection, ref))
        starts = sorted((*_starts(connection, ref), *current.get(ref, ())), key=lambda item: item.before)
        yield replace(known, starts=tuple(starts[-MOST_STARTS:]))


def _read(row: sa.Row[Any]) -> Retraining | None:
    # A migration must not stop at a row that says less.
    try:
        run = None if row.run is None else read_current_run(row.run)
        ref = RetrainingRef.of(TrainingRef.from_subject(row.subject))
        starts = () if run is None or run.start is None else (run.start.bounds,)
        return Retraining(ref=ref, since=from_text(row.first_seen_at), starts=starts)
    except (KeyError, TypeError, ValueError):
        return None


def _starts(connection: sa.Connection, ref: RetrainingRef) -> list[Bounds]:
    # A run without a stage began and ended between two polls; one that the first poll found has a stage.
    has_stage = sa.exists().where(_stage.c.subject == _run.c.subject, _stage.c.seq == _run.c.seq)
    query = _of(sa.select(_run), ref).where(_run.c.started_before.is_not(None) | ~has_stage)
    latest = sa.func.coalesce(_run.c.started_before, _run.c.ended_before).desc()
    rows = connection.execute(query.order_by(latest).limit(MOST_STARTS))
    return [_bounds(row.started_after or row.ended_after, row.started_before or row.ended_before) for row in rows]


def _last_good(connection: sa.Connection, ref: RetrainingRef) -> GoodVersion | None:
    query = _of(sa.select(_run), ref).where(_run.c.outcome == Outcome.COMPLETED.value)
    row = connection.execute(query.order_by(_run.c.ended_before.desc()).limit(1)).first()
    return None if row is None else GoodVersion(version=row.version, ended=_bounds(row.ended_after, row.ended_before))


def _of(query: sa.Select[Any], ref: RetrainingRef) -> sa.Select[Any]:
    return query.where(_run.c.account == ref.account, _run.c.service == ref.service, _run.c.type == ref.type)


def _bounds(after: str, before: str) -> Bounds:
    return Bounds(after=from_text(after), before=from_text(before))
