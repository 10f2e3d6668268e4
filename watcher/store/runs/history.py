"""The earlier runs that a run is compared with, read for one group at a time."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, Select, bindparam, func, select

from watcher.core.timestamps import from_text, read_date, to_text
from watcher.core.training.current_run import Bounds
from watcher.core.training.earlier_runs import EarlierRuns, KnownVersion, RunGroup, RunsWanted
from watcher.core.training.model import Status, TrainingRef
from watcher.core.training.past_runs import FEWEST_RUNS, LONGEST_AGO, MOST_RUNS, WIDEST_BOUNDS, Outcome, PastRun
from watcher.store import schema

NEWEST = 2 * MOST_RUNS
"""A change of level among the last 50 runs is recognised by those before it."""
_run, _stage, _training = schema.run, schema.stage, schema.training


def read_earlier(connection: Connection, group: RunGroup, wanted: RunsWanted, now: datetime) -> EarlierRuns:
    """Read the earlier runs of a group, as far as they are wanted."""
    keys = {"account": group.account, "service": group.service, "type": group.type}
    recent, since = _teaching(group), {"since": to_text(now - LONGEST_AGO)}
    earlier = _streak(connection, group, keys) if wanted.streak else EarlierRuns()
    completed = _past(connection, recent, keys | since, Outcome.COMPLETED) if wanted.completed else ()
    few = wanted.completed and len(completed) < FEWEST_RUNS
    in_account = {key: keys[key] for key in ("account", "type")}
    return replace(
        earlier,
        completed=completed,
        completed_in_account=_past(connection, _IN_ACCOUNT, in_account | since, Outcome.COMPLETED) if few else (),
        failed=_past(connection, recent, keys | since, Outcome.FAILED) if wanted.failed else (),
        stages={
            status: _past(connection, _teaching_stages(group), keys | since | {"status": status}, Outcome.COMPLETED)
            for status in wanted.stages
        },
    )


def _streak(connection: Connection, group: RunGroup, keys: Mapping[str, object]) -> EarlierRuns:
    good = _last(connection, keys, Outcome.COMPLETED) or _found_completed(connection, group)
    failed = _last(connection, keys, Outcome.FAILED)
    return EarlierRuns(
        failures=_count_since(connection, keys, Outcome.FAILED, good),
        successes=_count_since(connection, keys, Outcome.COMPLETED, failed),
        last_good=good,
        last_failed=failed,
    )


def _past(
    connection: Connection, query: Select[Any], parameters: Mapping[str, object], outcome: Outcome
) -> tuple[PastRun, ...]:
    rows = connection.execute(query, {**parameters, "outcome": outcome.value}).all()
    return tuple(
        PastRun(
            ended_at=_middle(row.ended_after, row.ended_before),
            duration=timedelta(seconds=row.seconds),
            uncertainty=timedelta(seconds=row.uncertain_seconds),
            outcome=outcome,
        )
        for row in reversed(rows)
    )


def _last(connection: Connection, keys: Mapping[str, object], outcome: Outcome) -> KnownVersion | None:
    row = connection.execute(_LAST, {**keys, "outcome": outcome.value}).first()
    if row is None:
        return None
    ended = Bounds(after=from_text(row.ended_after), before=from_text(row.ended_before))
    return KnownVersion(version=row.version, ended=ended, config=_config(json.loads(row.record or "{}")))


def _found_completed(connection: Connection, group: RunGroup) -> KnownVersion | None:
    """Return the version created last of those that the first poll found as completed; it has no run.

    Only a service that has completed no run since then is asked for it.
    """
    beginning = TrainingRef(group.account, group.service, group.type, "").subject
    keys = {"account": group.account, "service": group.service, "beginning": beginning}
    found = [item for row in connection.execute(_COMPLETED, keys) if (item := _found_version(row)) is not None]
    return max(found, key=lambda item: item[0], default=(None, None))[1]


def _found_version(row: Row[Any, Any]) -> tuple[datetime, KnownVersion] | None:
    ref, record = TrainingRef.from_subject(row.subject), json.loads(row.record)
    # The date names no zone, so it only compares versions.
    created = read_date(record.get("createdDate"), UTC)
    if created is None:
        return None
    return created, KnownVersion(version=ref.version, ended=None, config=_config(record))


def _config(record: Mapping[str, object]) -> Mapping[str, object] | None:
    config = record.get("hpConfig")
    return config if isinstance(config, Mapping) else None


def _count_since(
    connection: Connection, keys: Mapping[str, object], outcome: Outcome, last: KnownVersion | None
) -> int:
    since = "" if last is None or last.ended is None else to_text(last.ended.before)
    return connection.execute(_COUNT, {**keys, "outcome": outcome.value, "since": since}).scalar_one()


def _middle(after: str, before: str) -> datetime:
    return Bounds(after=from_text(after), before=from_text(before)).middle


def _teaching(group: RunGroup) -> Select[Any]:
    return _OWN if group.hpo is None else _OWN.where(_run.c.hpo.is_(group.hpo))


def _teaching_stages(group: RunGroup) -> Select[Any]:
    return _OWN_STAGES if group.hpo is None else _OWN_STAGES.where(_run.c.hpo.is_(group.hpo))


_OF_SERVICE = (
    _run.c.account == bindparam("account"),
    _run.c.service == bindparam("service"),
    _run.c.type == bindparam("type"),
    _run.c.outcome == bindparam("outcome"),
)
_OF_ACCOUNT = (
    _run.c.account == bindparam("account"),
    _run.c.type == bindparam("type"),
    _run.c.outcome == bindparam("outcome"),
)
_RECENT = (_run.c.ended_before >= bindparam("since"), ~_run.c.restored)
_KNOWN = (_run.c.seconds > 0, _run.c.uncertain_seconds <= _run.c.seconds * WIDEST_BOUNDS)
_KNOWN_STAGE = (_stage.c.seconds > 0, _stage.c.uncertain_seconds <= _stage.c.seconds * WIDEST_BOUNDS)
_COLUMNS = (_run.c.ended_after, _run.c.ended_before, _run.c.seconds, _run.c.uncertain_seconds)
_OWN = select(*_COLUMNS).where(*_OF_SERVICE, *_RECENT, *_KNOWN).order_by(_run.c.ended_before.desc()).limit(NEWEST)
_IN_ACCOUNT = (
    select(*_COLUMNS).where(*_OF_ACCOUNT, *_RECENT, *_KNOWN).order_by(_run.c.ended_before.desc()).limit(NEWEST)
)
_OWN_STAGES = (
    select(_run.c.ended_after, _run.c.ended_before, _stage.c.seconds, _stage.c.uncertain_seconds)
    .join(_stage, (_stage.c.subject == _run.c.subject) & (_stage.c.seq == _run.c.seq))
    .where(*_OF_SERVICE, *_RECENT, *_KNOWN_STAGE, _stage.c.status == bindparam("status"))
    .order_by(_run.c.ended_before.desc())
    .limit(NEWEST)
)
_LAST = (
    select(_run.c.version, _run.c.ended_after, _run.c.ended_before, _training.c.record)
    .outerjoin(_training, _training.c.subject == _run.c.subject)
    .where(*_OF_SERVICE)
    .order_by(_run.c.ended_before.desc())
    .limit(1)
)
_COMPLETED = select(_training.c.subject, _training.c.record).where(
    _training.c.status == Status.COMPLETED.value,
    _training.c.gone.is_(False),
    _training.c.account == bindparam("account"),
    _training.c.service == bindparam("service"),
    # The table has no column of the type, and a record of each other type would be read in vain.
    func.substr(_training.c.subject, 1, func.length(bindparam("beginning"))) == bindparam("beginning"),
)
_COUNT = select(func.count()).select_from(_run).where(*_OF_SERVICE, _run.c.ended_before > bindparam("since"))
