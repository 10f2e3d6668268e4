"""The earlier runs that a run is compared with: one rule for the messages of the daemon and for the reports."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Row, Select, Table, and_, bindparam, func, select

from watcher.core.durations.current_run import Bounds
from watcher.core.durations.past_runs import (
    FEWEST_RUNS,
    LONGEST_AGO,
    MOST_RUNS,
    WIDEST_BOUNDS,
    Outcome,
    PastRun,
    Population,
)
from watcher.core.timestamps import from_text, read_date, to_text
from watcher.core.training.earlier_runs import EarlierRuns, KnownVersion, RunGroup, RunsWanted
from watcher.core.training.model import Status, TrainingRef
from watcher.store import schema

NEWEST: Final = 2 * MOST_RUNS
"""A change of level among the last 50 runs is recognised by those before it."""
LATEST: Final = datetime.max.replace(tzinfo=UTC)
_run, _stage, _training = schema.run, schema.stage, schema.training


def read_earlier(
    connection: Connection, group: RunGroup, wanted: RunsWanted, now: datetime, before: datetime = LATEST
) -> EarlierRuns:
    """Read the earlier runs of a group, as far as they are wanted; only those that ended before a time."""
    own = Population(group.account, group.type, group.service, group.hpo)
    completed = past_runs(connection, own, now, before=before) if wanted.completed else ()
    wider = own.wider if wanted.completed and len(completed) < FEWEST_RUNS else None
    return replace(
        _streak(connection, group, before) if wanted.streak else EarlierRuns(),
        completed=completed,
        completed_in_account=() if wider is None else past_runs(connection, wider, now, before=before),
        failed=past_runs(connection, own, now, Outcome.FAILED, before) if wanted.failed else (),
        stages={
            status: past_runs(connection, replace(own, stage=status), now, before=before) for status in wanted.stages
        },
    )


def past_runs(
    connection: Connection,
    population: Population,
    now: datetime,
    outcome: Outcome = Outcome.COMPLETED,
    before: datetime = LATEST,
) -> tuple[PastRun, ...]:
    """Return the latest runs of a population that teach, of the last 180 days, or their stages; the oldest first."""
    query = _past(population.service is not None, population.hpo, population.stage is not None)
    keys = {"account": population.account, "service": population.service, "type": population.type}
    times = {"since": to_text(now - LONGEST_AGO), "before": to_text(before)}
    period = {**times, "outcome": outcome.value, "status": population.stage}
    return tuple(
        PastRun(
            ended_at=_middle(row.ended_after, row.ended_before),
            duration=timedelta(seconds=row.seconds),
            uncertainty=timedelta(seconds=row.uncertain_seconds),
            outcome=outcome,
        )
        for row in reversed(connection.execute(query, keys | period).all())
    )


def last_good(connection: Connection, ref: TrainingRef, before: datetime = LATEST) -> KnownVersion | None:
    """Return the version of a service and type that completed last before a time: another one, or in an earlier run.

    Before any run has completed, it is the version created last of those that the first poll found completed.
    """
    keys = {"account": ref.account, "service": ref.service, "type": ref.type}
    return _last(connection, keys, Outcome.COMPLETED, before) or _found_completed(connection, ref)


def _streak(connection: Connection, group: RunGroup, before: datetime) -> EarlierRuns:
    keys = {"account": group.account, "service": group.service, "type": group.type}
    good = last_good(connection, TrainingRef(**keys, version=""), before)
    failed = _last(connection, keys, Outcome.FAILED, before)
    return EarlierRuns(
        failures=_count_between(connection, keys, Outcome.FAILED, good, before),
        successes=_count_between(connection, keys, Outcome.COMPLETED, failed, before),
        last_good=good,
        last_failed=failed,
    )


def _last(
    connection: Connection, keys: Mapping[str, object], outcome: Outcome, before: datetime = LATEST
) -> KnownVersion | None:
    row = connection.execute(_LAST, {**keys, "outcome": outcome.value, "before": to_text(before)}).first()
    if row is None:
        return None
    ended = Bounds(after=from_text(row.ended_after), before=from_text(row.ended_before))
    return KnownVersion(version=row.version, ended=ended, config=config_of(json.loads(row.record or "{}")))


def _found_completed(connection: Connection, ref: TrainingRef) -> KnownVersion | None:
    """Return the version created last of those that the first poll found as completed; it has no run.

    Only a service that has completed no run since then is asked for it. The training itself is not its own last good
    version.
    """
    keys = {"account": ref.account, "service": ref.service, "subject": ref.subject}
    beginning = {"beginning": replace(ref, version="").subject}
    rows = connection.execute(_COMPLETED, keys | beginning)
    found = [item for row in rows if (item := _found_version(row)) is not None]
    return max(found, key=lambda item: item[0], default=(None, None))[1]


def _found_version(row: Row[Any, Any]) -> tuple[datetime, KnownVersion] | None:
    ref, record = TrainingRef.from_subject(row.subject), json.loads(row.record)
    # The date names no zone, so it only compares versions.
    created = read_date(record.get("createdDate"), UTC)
    if created is None:
        return None
    return created, KnownVersion(version=ref.version, ended=None, config=config_of(record))


def config_of(record: Mapping[str, object]) -> Mapping[str, object] | None:
    """Return the ``hpConfig`` of a training's record; ``None`` where AiTEMS gave none."""
    config = record.get("hpConfig")
    return config if isinstance(config, Mapping) else None


def _count_between(
    connection: Connection, keys: Mapping[str, object], outcome: Outcome, last: KnownVersion | None, before: datetime
) -> int:
    since = "" if last is None or last.ended is None else to_text(last.ended.before)
    period = {"since": since, "before": to_text(before)}
    return connection.execute(_COUNT, {**keys, **period, "outcome": outcome.value}).scalar_one()


def _middle(after: str, before: str) -> datetime:
    return Bounds(after=from_text(after), before=from_text(before)).middle


def teaches(table: Table) -> ColumnElement[bool]:
    """Say in SQL which runs or stages have a duration to learn from, as ``PastRun.teaches`` does."""
    seconds = table.c.seconds
    return and_(seconds > 0, table.c.uncertain_seconds <= seconds * WIDEST_BOUNDS)


@lru_cache
def _past(of_service: bool, hpo: bool | None, of_stage: bool) -> Select[Any]:  # noqa: FBT001 - the key of a cache
    known = _stage if of_stage else _run
    durations = (known.c.seconds, known.c.uncertain_seconds)
    query = select(_run.c.ended_after, _run.c.ended_before, *durations).where(*_OF_ACCOUNT)
    if of_service:
        query = query.where(_run.c.service == bindparam("service"))
    if hpo is not None:
        query = query.where(_run.c.hpo.is_(hpo))
    if of_stage:
        query = query.join(_stage, (_stage.c.subject == _run.c.subject) & (_stage.c.seq == _run.c.seq))
        query = query.where(_stage.c.status == bindparam("status"))
    ended = _run.c.ended_before
    query = query.where(ended >= bindparam("since"), ended < bindparam("before"), ~_run.c.restored, teaches(known))
    return query.order_by(_run.c.ended_before.desc()).limit(NEWEST)


_OF_ACCOUNT = (
    _run.c.account == bindparam("account"),
    _run.c.type == bindparam("type"),
    _run.c.outcome == bindparam("outcome"),
)
_OF_SERVICE = (*_OF_ACCOUNT, _run.c.service == bindparam("service"))
_LAST = (
    select(_run.c.version, _run.c.ended_after, _run.c.ended_before, _training.c.record)
    .outerjoin(_training, _training.c.subject == _run.c.subject)
    .where(*_OF_SERVICE, _run.c.ended_before < bindparam("before"))
    .order_by(_run.c.ended_before.desc())
    .limit(1)
)
_COMPLETED = select(_training.c.subject, _training.c.record).where(
    _training.c.status == Status.COMPLETED.value,
    _training.c.gone.is_(False),
    _training.c.subject != bindparam("subject"),
    _training.c.account == bindparam("account"),
    _training.c.service == bindparam("service"),
    # The table has no column of the type, and a record of each other type would be read in vain.
    func.substr(_training.c.subject, 1, func.length(bindparam("beginning"))) == bindparam("beginning"),
)
_COUNT = (
    select(func.count())
    .select_from(_run)
    .where(*_OF_SERVICE, _run.c.ended_before > bindparam("since"), _run.c.ended_before < bindparam("before"))
)
