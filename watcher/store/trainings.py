"""Read recorded trainings for reports: counts from an index, and only the rows that are shown."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from typing import Final

from sqlalchemy import ColumnElement, Connection, Select, func, or_, select

from watcher.core.training.model import ServiceRef, Snapshot, TrainingRef
from watcher.store import schema
from watcher.store.rows import read_snapshot

PAGE: Final = 200
"""Rows of one read; also the longest list of values in a statement."""


class Order(StrEnum):
    """The order of trainings."""

    LONGEST = "longest"
    """The one that has its status for longest comes first."""
    LATEST = "latest"
    """The latest change comes first."""
    NAME = "name"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingCount:
    """How many trainings of one service have one status."""

    service: ServiceRef
    status: str | None
    """``None`` while the first status waits for confirmation."""
    gone: bool
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingQuery:
    """Which trainings to read."""

    statuses: frozenset[str | None]
    service: ServiceRef | None = None
    gone: bool = False
    """Whether trainings that are gone belong to it."""
    takes: Callable[[TrainingRef], bool] | None = None
    """A further condition; ``None`` takes all."""
    order: Order = Order.LONGEST
    after: str | None = None
    """With ``Order.NAME``: the subject behind which to begin."""
    limit: int | None = None


def training_counts(connection: Connection, only: ServiceRef | None = None) -> list[TrainingCount]:
    """Return the number of trainings by service and status; ``only`` counts those of one service."""
    table = schema.training.c
    columns = (table.status, table.gone, table.account, table.service)
    query = select(*columns, func.count()).group_by(*columns)
    if only is not None:
        query = query.where(or_(table.status.in_(_recorded_statuses()), table.status.is_(None)), *_of_service(only))
    return [
        TrainingCount(service=ServiceRef(account, service), status=status, gone=gone, count=number)
        for status, gone, account, service, number in connection.execute(query)
    ]


def find_trainings(connection: Connection, wanted: TrainingQuery) -> Iterator[Snapshot]:
    """Yield the trainings of a query; only a page of them is in memory."""
    subjects = _chosen(connection, wanted)
    while page := list(islice(subjects, PAGE)):
        known = _by_subject(connection, page)
        yield from (known[subject] for subject in page)


def known_statuses(connection: Connection, refs: Iterable[TrainingRef]) -> Iterator[TrainingCount]:
    """Yield the status of those of these trainings that are known, each as a count of one."""
    table = schema.training.c
    columns = (table.account, table.service, table.status, table.gone)
    subjects = iter([ref.subject for ref in refs])
    while page := list(islice(subjects, PAGE)):
        for row in connection.execute(select(*columns).where(table.subject.in_(page))):
            yield TrainingCount(service=ServiceRef(row.account, row.service), status=row.status, gone=row.gone, count=1)


def one_training(connection: Connection, ref: TrainingRef) -> Snapshot | None:
    """Return a training, if it is known."""
    return _by_subject(connection, (ref.subject,)).get(ref.subject)


def _chosen(connection: Connection, wanted: TrainingQuery) -> Iterator[str]:
    query = _query(wanted)
    takes = wanted.takes
    if takes is None:
        yield from connection.scalars(query.limit(wanted.limit))
        return
    found = (subject for subject in connection.scalars(query) if takes(TrainingRef.from_subject(subject)))
    yield from islice(found, wanted.limit)


def _query(wanted: TrainingQuery) -> Select[str]:
    table = schema.training.c
    known = table.status.in_(sorted(status for status in wanted.statuses if status is not None))
    statuses = or_(known, table.status.is_(None)) if None in wanted.statuses else known
    query = select(table.subject).where(statuses)
    if not wanted.gone:
        query = query.where(table.gone.is_(False))
    if wanted.after is not None:
        query = query.where(table.subject > wanted.after)
    if wanted.service is not None:
        query = query.where(*_of_service(wanted.service))
    return _ordered(query, wanted.order)


def _of_service(service: ServiceRef) -> tuple[ColumnElement[bool], ...]:
    """Return the conditions that, with one on the status, seek the trainings of a service in ``ix_training_status``."""
    table = schema.training.c
    return table.gone.in_([False, True]), table.account == service.account, table.service == service.service


def _recorded_statuses() -> Select[str]:
    """Return a query for each status that any training has: one search of the index for each of them."""
    status = schema.training.c.status
    found = select(func.min(status).label("status")).cte("found", recursive=True)
    following = select(func.min(status)).where(status > found.c.status).scalar_subquery()
    found = found.union_all(select(following).where(found.c.status.is_not(None)))
    return select(found.c.status)


def _ordered(query: Select[str], order: Order) -> Select[str]:
    table = schema.training.c
    if order is Order.NAME:
        return query.order_by(table.subject)
    changed = func.coalesce(table.changed_before, table.first_seen_at)
    return query.order_by(changed.desc() if order is Order.LATEST else changed, table.subject)


def _by_subject(connection: Connection, subjects: Sequence[str]) -> Mapping[str, Snapshot]:
    query = select(schema.training).where(schema.training.c.subject.in_(subjects))
    return {row["subject"]: read_snapshot(row) for row in connection.execute(query).mappings()}
