"""What the store says of the watcher's own health, read beside the writer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, select

from watcher.core.delivery.model import State
from watcher.core.event import Kind
from watcher.core.health.readiness import HealthStats, Queue
from watcher.core.incidents.tracker import Incident
from watcher.core.timestamps import to_text
from watcher.core.training.model import PHASES, Phase, TrainingRef
from watcher.store import schema
from watcher.store.rows import read_snapshot
from watcher.store.unannounced import UnannouncedEvent, unannounced
from watcher.store.views import Views, open_views

NOTIFYING: Final = timedelta(minutes=2)
"""So long the telling of something may take before it counts as untold."""
NOT_DELIVERED: Final = frozenset(State) - {State.DELIVERED}
IN_PROGRESS: Final = tuple(str(status) for status, phase in PHASES.items() if phase is Phase.IN_PROGRESS)

_TOLD: Final = (State.DELIVERED.value, State.SILENCED.value)
"""A silence is on purpose, as a route to nobody is."""

_event, _ledger = schema.event.c, schema.ledger.c


def read_health_stats(path: Path, now: datetime) -> HealthStats:
    """Read everything at one moment of the file.

    Raises:
        StoreUnusable: the store cannot be read.
    """
    with open_views(path) as views:
        incidents = views.incidents()
        news = unannounced(views.connection)
        silent = [*_unannounced_incidents(views.connection, incidents, now - NOTIFYING), *_failing_receivers(news)]
        return HealthStats(
            in_progress=tuple(_in_progress(views.connection)),
            queues=tuple(_queues(views)),
            incidents=_by_cause(incidents),
            unannounced=tuple(silent),
            unannounced_dead_letters=_dead(news),
            store_bytes=store_bytes(path),
        )


def store_bytes(path: Path) -> int:
    """Return the size of the store's file and its write-ahead log."""
    total = 0
    for file in (path, path.with_name(path.name + "-wal")):
        with suppress(OSError):
            total += file.stat().st_size
    return total


def _in_progress(connection: Connection) -> Iterator[tuple[TrainingRef, str]]:
    table = schema.training.c
    query = select(schema.training).where(table.status.in_(IN_PROGRESS), table.gone.is_(False))
    for row in connection.execute(query.order_by(table.subject)).mappings():
        snapshot = read_snapshot(row)
        yield snapshot.ref, str(snapshot.status)


def _queues(views: Views) -> Iterator[Queue]:
    # What was delivered only grows; it is counted where it happens.
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
    """Say whether an event reached somebody, or was routed to nobody on purpose."""
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
    return any(row.ending in _TOLD for row in rows)


def _failing_receivers(news: Iterable[UnannouncedEvent]) -> Iterator[str]:
    return (item.event.subject for item in news if item.event.kind is Kind.RECEIVER_FAILING)


def _dead(news: Iterable[UnannouncedEvent]) -> Mapping[str, int]:
    """Count, by receiver, what was given up without anybody being told."""
    counted: Counter[str] = Counter()
    for item in news:
        if item.event.kind is Kind.UNDELIVERED and item.event.receiver is not None:
            counted[item.event.receiver.name] += item.event.receiver.count
    return counted
