"""Read the runs that have ended: of a period, of a service, of one training."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, cast

from sqlalchemy import ColumnElement, Connection, FromClause, and_, case, select, tuple_

from watcher.core.durations.past_runs import Outcome
from watcher.core.timestamps import to_text
from watcher.core.training.model import ServiceRef, TrainingRef
from watcher.core.training.run import EndedRun, EndedStage
from watcher.store import schema
from watcher.store.runs.history import teaches
from watcher.store.runs.rows import read_run_row, read_stage_row

PAGE: Final = 2000
"""Rows that are in memory at a time."""
STAGED_RUNS: Final = 40_000
"""So many of the latest completed runs tell how long stages take: a year of a large account would need too long."""

FIRST: Final = datetime.min.replace(tzinfo=UTC)
RunLine = tuple[str, str, str, str, float | None]
"""The account, the service, the type, the outcome, and the seconds of a run that teaches."""
StageLine = tuple[str, str, str, str, float]
"""The account, the service, the type, the status of a stage, and its seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """From a time on, and until just before another, UTC."""

    since: datetime
    before: datetime

    @property
    def previous(self) -> Period:
        """The period of the same length before this one, as far as there are dates."""
        length = min(self.before - self.since, self.since - FIRST)
        return Period(since=self.since - length, before=self.since)


def run_lines(connection: Connection, period: Period, service: ServiceRef | None = None) -> Iterator[Sequence[RunLine]]:
    """Yield the runs that ended in a period, in the order of their ends, a page at a time."""
    run = schema.run.c
    seconds = case((_teaches(), run.seconds), else_=None)
    query = select(run.account, run.service, run.type, run.outcome, seconds).where(_ended_in(period))
    if service is not None:
        query = query.where(run.account == service.account, run.service == service.service)
    in_order = query.order_by(run.ended_before).execution_options(yield_per=PAGE)
    return cast(Iterator[Sequence[RunLine]], connection.execute(in_order).partitions())


def stage_lines(
    connection: Connection, period: Period, service: ServiceRef | None = None
) -> Iterator[Sequence[StageLine]]:
    """Yield the stages of the latest completed runs that ended in a period, 40,000 runs at most, a page at a time."""
    stage, run = schema.stage.c, schema.run
    runs = select(run).where(_ended_in(period), run.c.outcome == Outcome.COMPLETED.value, run.c.restored.is_(False))
    if service is not None:
        runs = runs.where(run.c.account == service.account, run.c.service == service.service)
    latest = runs.order_by(run.c.ended_before.desc()).limit(STAGED_RUNS).subquery()
    known = latest.c
    query = select(known.account, known.service, known.type, stage.status, stage.seconds)
    query = query.join_from(latest, schema.stage, _of_run(latest)).where(teaches(schema.stage))
    rows = connection.execute(query.execution_options(yield_per=PAGE))
    return cast("Iterator[Sequence[StageLine]]", rows.partitions())


def runs_of(connection: Connection, ref: TrainingRef, limit: int) -> list[EndedRun]:
    """Return the latest runs of a training with their stages, the newest last."""
    run = schema.run
    query = select(run).where(run.c.subject == ref.subject).order_by(run.c.seq.desc()).limit(limit)
    rows = list(connection.execute(query).mappings())
    stages = _stages_of(connection, [(row["subject"], row["seq"]) for row in rows])
    return [read_run_row(row, stages.get((row["subject"], row["seq"]), ())) for row in reversed(rows)]


def runs_of_service(
    connection: Connection, service: ServiceRef, period: Period, training_type: str | None = None
) -> Iterator[EndedRun]:
    """Yield the runs of a service, or of one of its types, that ended in a period, in the order of their ends.

    They are without their stages.
    """
    run = schema.run
    own = and_(run.c.account == service.account, run.c.service == service.service)
    query = select(run).where(own, _ended_in(period)).order_by(run.c.ended_before)
    if training_type is not None:
        query = query.where(run.c.type == training_type)
    for row in connection.execute(query.execution_options(yield_per=PAGE)).mappings():
        yield read_run_row(row)


def _stages_of(
    connection: Connection, runs: Sequence[tuple[str, int]]
) -> Mapping[tuple[str, int], tuple[EndedStage, ...]]:
    stage = schema.stage
    query = select(stage).where(tuple_(stage.c.subject, stage.c.seq).in_(runs))
    found: dict[tuple[str, int], tuple[EndedStage, ...]] = {}
    for row in connection.execute(query.order_by(stage.c.subject, stage.c.seq, stage.c.number)).mappings():
        key = (row["subject"], row["seq"])
        found[key] = (*found.get(key, ()), read_stage_row(row))
    return found


def _of_run(run: FromClause) -> ColumnElement[bool]:
    stage = schema.stage.c
    return and_(stage.subject == run.c.subject, stage.seq == run.c.seq)


def _ended_in(period: Period) -> ColumnElement[bool]:
    ended = schema.run.c.ended_before
    return and_(ended >= to_text(period.since), ended < to_text(period.before))


def _teaches() -> ColumnElement[bool]:
    """Say in SQL which completed runs teach, as ``PastRun.teaches`` does."""
    run = schema.run.c
    return and_(run.outcome == Outcome.COMPLETED.value, run.restored.is_(False), teaches(schema.run))
