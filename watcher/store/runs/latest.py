"""Read the latest results of each service and type, and the latest ends of all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import CTE, Column, ColumnElement, Connection, ScalarSelect, Select, bindparam, false, func, select

from watcher.core.durations.current_run import Bounds
from watcher.core.durations.past_runs import Outcome
from watcher.core.timestamps import from_text
from watcher.core.training.model import ServiceRef, TrainingRef
from watcher.store import schema

_run = schema.run.c
_DECIDING: Final = (Outcome.COMPLETED, Outcome.FAILED)
"""A run that was stopped says nothing about the next one."""


@dataclass(frozen=True, slots=True, order=True)
class TypeRef:
    """One type of one service."""

    account: str
    service: str
    type: str

    @property
    def service_ref(self) -> ServiceRef:
        """Its service."""
        return ServiceRef(self.account, self.service)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResult:
    """The end of one run."""

    ref: TrainingRef
    outcome: Outcome
    status: str
    ended: Bounds
    seconds: float | None
    """``None`` where its start is not known."""


def types_with_runs(connection: Connection) -> dict[TypeRef, bool]:
    """Return each service and type that has runs, in order, and whether the latest one failed."""
    return {
        TypeRef(account, service, kind): bool(failed) for account, service, kind, failed in connection.execute(_TYPES)
    }


def latest_results(connection: Connection, of: TypeRef, limit: int) -> list[RunResult]:
    """Return the latest runs of a service and type that completed or failed, the newest last."""
    keys = {"account": of.account, "service": of.service, "type": of.type, "limit": limit}
    rows = [
        row for outcome in _DECIDING for row in connection.execute(_LATEST, {**keys, "outcome": outcome.value}).all()
    ]
    rows.sort(key=lambda row: row.ended_before)
    return [_result(row) for row in rows[-limit:]]


def latest_hpo(connection: Connection, of: TypeRef) -> bool | None:
    """Return whether the latest run of a service and type optimised hyperparameters; ``None`` where that is unknown."""
    keys = {"account": of.account, "service": of.service, "type": of.type, "limit": 1}
    rows = [connection.execute(_LATEST, {**keys, "outcome": outcome.value}).first() for outcome in _DECIDING]
    latest = max((row for row in rows if row is not None), key=lambda row: row.ended_before, default=None)
    return None if latest is None else latest.hpo


def last_completed(connection: Connection, of: TypeRef) -> RunResult | None:
    """Return the latest run of a service and type that completed, however many have failed since."""
    keys = {"account": of.account, "service": of.service, "type": of.type, "limit": 1}
    row = connection.execute(_LATEST, {**keys, "outcome": Outcome.COMPLETED.value}).first()
    return None if row is None else _result(row)


def failures_since(connection: Connection, of: TypeRef, completed_at: str) -> int:
    """Return how many runs of a service and type failed after a time, in its text form."""
    keys = {"account": of.account, "service": of.service, "type": of.type, "since": completed_at}
    return connection.execute(_FAILURES, keys).scalar_one()


def first_failure_since(connection: Connection, of: TypeRef, completed_at: str) -> RunResult | None:
    """Return the first run of a service and type that failed after a time, in its text form."""
    keys = {"account": of.account, "service": of.service, "type": of.type, "since": completed_at}
    row = connection.execute(_FIRST_FAILURE, keys).first()
    return None if row is None else _result(row)


def latest_ends(connection: Connection, limit: int) -> list[RunResult]:
    """Return the latest runs of all services that have ended, the newest first."""
    return [_result(row) for row in connection.execute(_ENDS, {"limit": limit})]


def _types_with_runs() -> Select[str, str, str, bool]:
    """Return a query that seeks each type in an index: to group the runs would read all of them."""
    accounts = _each("accounts", _run.account)
    services = _each("services", _run.service, accounts)
    types = _each("types", _run.type, services)

    def latest(outcome: Outcome) -> ScalarSelect[str]:
        own = (_run.account == types.c.account, _run.service == types.c.service, _run.type == types.c.type)
        return select(func.max(_run.ended_before)).where(*own, _run.outcome == outcome.value).scalar_subquery()

    failed = latest(Outcome.FAILED) >= func.coalesce(latest(Outcome.COMPLETED), "")
    place = (types.c.account, types.c.service, types.c.type)
    return select(*place, func.coalesce(failed, false())).where(types.c.type.is_not(None)).order_by(*place)


def _each(name: str, column: Column[str], above: CTE | None = None) -> CTE:
    """Return each value of a column of the runs, below each row of another such table; the last one is NULL."""
    keys = [] if above is None else list(above.c)

    def least(below: CTE | None, *conditions: ColumnElement[bool]) -> ScalarSelect[str]:
        own = [] if below is None else [_run[key.name] == below.c[key.name] for key in keys]
        return select(func.min(column)).where(*own, *conditions).scalar_subquery()

    first = select(*keys, least(above).label(column.name))
    if above is not None:
        first = first.where(keys[-1].is_not(None))
    found = first.cte(name, recursive=True)
    following = least(found, column > found.c[column.name])
    kept = [found.c[key.name] for key in keys]
    return found.union_all(select(*kept, following).where(found.c[column.name].is_not(None)))


def _result(row: Any) -> RunResult:  # noqa: ANN401 - a row of any statement of this module
    return RunResult(
        ref=TrainingRef(row.account, row.service, row.type, row.version),
        outcome=Outcome(row.outcome),
        status=row.status,
        ended=Bounds(after=from_text(row.ended_after), before=from_text(row.ended_before)),
        seconds=row.seconds,
    )


_COLUMNS: Final = (
    *(_run.account, _run.service, _run.type, _run.version),
    *(_run.outcome, _run.status, _run.ended_after, _run.ended_before, _run.seconds, _run.hpo),
)
_OWN: Final = (
    _run.account == bindparam("account"),
    _run.service == bindparam("service"),
    _run.type == bindparam("type"),
)
_TYPES: Final = _types_with_runs()
_LATEST: Final = (
    select(*_COLUMNS)
    .where(*_OWN, _run.outcome == bindparam("outcome"))
    .order_by(_run.ended_before.desc())
    .limit(bindparam("limit"))
)
_ENDS: Final = select(*_COLUMNS).order_by(_run.ended_before.desc()).limit(bindparam("limit"))
_FAILED_SINCE: Final = (*_OWN, _run.outcome == Outcome.FAILED.value, _run.ended_before > bindparam("since"))
_FAILURES: Final = select(func.count()).select_from(schema.run).where(*_FAILED_SINCE)
_FIRST_FAILURE: Final = select(*_COLUMNS).where(*_FAILED_SINCE).order_by(_run.ended_before).limit(1)
