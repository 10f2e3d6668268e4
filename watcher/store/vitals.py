"""What the store says of the watcher's own health, read beside the writer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final
from urllib.parse import quote

from sqlalchemy import Connection, and_, func, select

from watcher.core.delivery import State
from watcher.core.incident import Incident
from watcher.core.moment import to_text
from watcher.core.training import PHASES, Phase, TrainingRef
from watcher.core.vitals import Queue, Vitals
from watcher.store import schema
from watcher.store.rows import read_snapshot
from watcher.store.views import Views, open_views

TELLING: Final = timedelta(minutes=2)
"""So long the telling of something may take before it counts as untold."""
IN_PROGRESS: Final = tuple(str(status) for status, phase in PHASES.items() if phase is Phase.IN_PROGRESS)
UNDELIVERED: Final = "undelivered"
"""The kind of event that tells of deliveries which were given up."""

_event, _ledger, _delivery = schema.event.c, schema.ledger.c, schema.delivery.c


def read_vitals(path: Path, now: datetime) -> Vitals:
    """Read everything at one moment of the file.

    Raises:
        StoreUnusable: the store cannot be read.
    """
    with open_views(path) as views:
        incidents = views.incidents()
        before = now - TELLING
        return Vitals(
            in_progress=tuple(_in_progress(views.connection)),
            queues=tuple(_queues(views)),
            incidents=_by_cause(incidents),
            untold=tuple(_untold(views.connection, incidents, before)),
            untold_dead=_untold_dead(views.connection, before),
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
    for queue in views.queues():
        # What was delivered only grows; it is counted where it happens.
        if queue.state is not State.DELIVERED:
            yield Queue(receiver=queue.receiver, state=queue.state, count=queue.count, oldest=queue.oldest)


def _by_cause(incidents: Iterable[Incident]) -> Mapping[str, int]:
    counted: dict[str, int] = {}
    for incident in incidents:
        counted[incident.cause.value] = counted.get(incident.cause.value, 0) + 1
    return counted


def _untold(connection: Connection, incidents: Iterable[Incident], before: datetime) -> Iterator[str]:
    rows = connection.execute(select(schema.incident.c.subject, schema.incident.c.seq)).all()
    open_subjects = {incident.subject for incident in incidents}
    for subject, seq in rows:
        if subject in open_subjects and not _was_told(connection, subject, seq, before, nobody_will_do=True):
            yield subject
    table = schema.receiver.c
    for name, seq in connection.execute(select(table.name, table.seq).where(table.broken_since.is_not(None))).all():
        subject = receiver_subject(name)
        if not _was_told(connection, subject, seq, before, nobody_will_do=False):
            yield subject


def receiver_subject(name: str) -> str:
    """Return what events about a receiver are about."""
    return f"receiver:{quote(name, safe='')}"


def _was_told(connection: Connection, subject: str, seq: int, before: datetime, *, nobody_will_do: bool) -> bool:
    """Say whether an event reached somebody, or was routed to nobody on purpose where that will do."""
    query = (
        select(_event.routed_at, _event.recorded_at, _ledger.receiver, _ledger.ending)
        .outerjoin_from(schema.event, schema.ledger, _ledger.event_id == _event.id)
        .where(_event.subject == subject, _event.seq == seq)
    )
    rows = connection.execute(query).all()
    if not rows or rows[0].recorded_at > to_text(before):
        return True
    if rows[0].receiver is None:
        return nobody_will_do and rows[0].routed_at is not None
    return any(row.ending == State.DELIVERED.value for row in rows)


def _untold_dead(connection: Connection, before: datetime) -> Mapping[str, int]:
    """Count, by receiver, what was given up since somebody was last told of that."""
    dead = and_(_delivery.state == State.DEAD.value, _delivery.settled_at <= to_text(before))
    rows = connection.execute(select(_delivery.receiver, _delivery.settled_at).where(dead)).all()
    told = _last_told(connection) if rows else {}
    counted: dict[str, int] = {}
    for receiver, settled_at in rows:
        if settled_at > told.get(receiver_subject(receiver), ""):
            counted[receiver] = counted.get(receiver, 0) + 1
    return counted


def _last_told(connection: Connection) -> Mapping[str, str]:
    query = (
        select(_event.subject, func.max(_event.recorded_at))
        .join_from(schema.event, schema.ledger, _ledger.event_id == _event.id)
        .where(_event.kind == UNDELIVERED, _ledger.ending == State.DELIVERED.value)
        .group_by(_event.subject)
    )
    return {row[0]: row[1] for row in connection.execute(query)}
