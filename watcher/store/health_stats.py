"""Read the watcher's own health from the store, beside the writer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import ColumnElement, Connection, func, or_, select

from watcher.core.delivery.state import DELIVERED_IN_BATCH, State
from watcher.core.event import Kind
from watcher.core.health.readiness import ROUTING, SERIES_MAX, FailingReceiver, HealthStats, Queue, TrainingInProgress
from watcher.core.incidents.model import Incident
from watcher.core.timestamps import from_text, to_text
from watcher.core.training.model import PHASES, Phase, TrainingRef
from watcher.store import schema
from watcher.store.readers import store_bytes
from watcher.store.rows import read_time
from watcher.store.unannounced import UnannouncedEvent
from watcher.store.views import Views, open_views

NOTIFYING: Final = timedelta(minutes=2)
"""An announcement may take this long before its incident counts as unannounced."""
NOT_DELIVERED: Final = frozenset(State) - {State.DELIVERED}
IN_PROGRESS: Final = tuple(str(status) for status, phase in PHASES.items() if phase is Phase.IN_PROGRESS)

_ANNOUNCED: Final = (State.DELIVERED.value, DELIVERED_IN_BATCH, State.SILENCED.value)
"""Endings that count as announced: a silence is on purpose, as is a route without receivers."""

_event, _ledger = schema.event.c, schema.ledger.c


def read_health_stats(url: str, now: datetime, *, in_progress: bool = True) -> HealthStats:
    """Read everything at one point in time.

    Args:
        url: the URL of the store.
        now: the present, UTC.
        in_progress: whether to read the trainings in progress, too; only the metrics show them.

    Raises:
        StoreUnusable: the store cannot be read.
    """
    with open_views(url) as views:
        return health_stats(views, url, now, in_progress=in_progress)


def health_stats(views: Views, url: str, now: datetime, *, in_progress: bool = True) -> HealthStats:
    """Read the statistics through open views; ``url`` is the URL of the same store."""
    incidents = views.incidents()
    missed = views.unannounced()
    subjects = [*_unannounced_incidents(views.connection, incidents, now - NOTIFYING), *_failing_subjects(missed)]
    unrouted, unrouted_since = _unrouted(views.connection, now)
    return HealthStats(
        in_progress=tuple(_longest_in_progress(views.connection)) if in_progress else (),
        in_progress_counts=_in_progress_counts(views.connection) if in_progress else {},
        queues=tuple(_queues(views)),
        incidents=_by_cause(incidents),
        unannounced=tuple(subjects),
        unannounced_dead_letters=_dead(missed),
        failing_receivers=tuple(_failing_receivers(views)),
        unrouted=unrouted,
        unrouted_since=unrouted_since,
        store_bytes=store_bytes(url),
    )


def _longest_in_progress(connection: Connection) -> Iterator[TrainingInProgress]:
    table = schema.training.c
    since = func.coalesce(table.changed_before, table.first_seen_at).label("since")
    query = select(table.subject, table.status, since).where(*_is_in_progress())
    for row in connection.execute(query.order_by(since, table.subject).limit(SERIES_MAX)):
        yield TrainingInProgress(
            ref=TrainingRef.from_subject(row.subject), status=str(row.status), since=from_text(row.since)
        )


def _in_progress_counts(connection: Connection) -> Mapping[str, int]:
    status = schema.training.c.status
    rows = connection.execute(select(status, func.count()).where(*_is_in_progress()).group_by(status))
    return {str(known): int(count) for known, count in rows}


def _is_in_progress() -> Iterator[ColumnElement[bool]]:
    yield schema.training.c.status.in_(IN_PROGRESS)
    yield schema.training.c.gone.is_(False)


def _queues(views: Views) -> Iterator[Queue]:
    # Delivered ones are most of the store; the metrics count them as they are settled.
    for queue in views.queues(NOT_DELIVERED):
        yield Queue(receiver=queue.receiver, state=queue.state, count=queue.count, oldest=queue.oldest)


def _by_cause(incidents: Iterable[Incident]) -> Mapping[str, int]:
    counted: dict[str, int] = {}
    for incident in incidents:
        counted[incident.cause.value] = counted.get(incident.cause.value, 0) + 1
    return counted


def _unannounced_incidents(connection: Connection, incidents: Iterable[Incident], before: datetime) -> Iterator[str]:
    open_subjects = {incident.subject for incident in incidents}
    for subject, seq in connection.execute(select(schema.incident.c.subject, schema.incident.c.seq)).all():
        if subject in open_subjects and not _was_announced(connection, subject, seq, before):
            yield subject


def _was_announced(connection: Connection, subject: str, seq: int, before: datetime) -> bool:
    """Say whether an event reached a receiver, or was routed to none on purpose."""
    query = (
        select(_event.routed_at, _event.recorded_at, _ledger.receiver, _ledger.ending)
        .outerjoin_from(schema.event, schema.ledger, _ledger.event_id == _event.id)
        .where(_event.subject == subject, _event.seq == seq)
    )
    rows = connection.execute(query).all()
    if not rows or rows[0].recorded_at > to_text(before):
        return True
    if rows[0].receiver is None:
        return rows[0].routed_at is not None
    return any(row.ending in _ANNOUNCED for row in rows)


def _failing_receivers(views: Views) -> Iterator[FailingReceiver]:
    for state in views.failing_receivers():
        if state.failing_since is not None:
            yield FailingReceiver(name=state.name, since=state.failing_since, reason=state.reason)


def _unrouted(connection: Connection, now: datetime) -> tuple[int, datetime | None]:
    """Count the events that should have a route by now.

    An event of the future is one of a wall clock that ran ahead, so its time does not excuse it.
    """
    late = or_(_event.recorded_at <= to_text(now - ROUTING), _event.recorded_at > to_text(now + ROUTING))
    query = select(func.count(), func.min(_event.recorded_at)).where(_event.routed_at.is_(None), late)
    count, oldest = connection.execute(query).one()
    return int(count), read_time(oldest)


def _failing_subjects(missed: Iterable[UnannouncedEvent]) -> Iterator[str]:
    return (item.event.subject for item in missed if item.event.kind is Kind.RECEIVER_FAILING)


def _dead(missed: Iterable[UnannouncedEvent]) -> Mapping[str, int]:
    """Count the dead letters by receiver whose announcement reached no receiver."""
    counted: Counter[str] = Counter()
    for item in missed:
        if item.event.kind is Kind.UNDELIVERED and item.event.receiver is not None:
            counted[item.event.receiver.name] += item.event.receiver.count
    return counted
