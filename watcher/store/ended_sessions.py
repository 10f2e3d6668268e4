"""The sessions of the page that were ended by signing out, kept until they would have expired anyway."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, delete, select

from watcher.core.timestamps import from_text, to_text
from watcher.store import schema
from watcher.store.sql.upsert import insert_or_ignore
from watcher.store.writer import StoreWriter

KEPT: Final = 10_000
"""The most sessions that are read."""

_session = schema.ended_session


class EndedSessions:
    """The store as signing out uses it."""

    def __init__(self, database: StoreWriter) -> None:
        self._database = database

    @property
    def epoch(self) -> str:
        """The store's epoch."""
        return self._database.epoch

    async def add(self, identity: str, expires_at: datetime, now: datetime) -> None:
        """Store that a session has ended, and delete those that have expired."""
        await self._database.write(lambda connection: _add(connection, identity, expires_at, now))


def ended_sessions(connection: Connection, now: datetime) -> Mapping[str, datetime]:
    """Return when each ended session expires, by its id; of very many, those that expire last."""
    query = select(_session).where(_session.c.expires_at >= to_text(now)).order_by(_session.c.expires_at.desc())
    return {row.id: from_text(row.expires_at) for row in connection.execute(query.limit(KEPT))}


def _add(connection: Connection, identity: str, expires_at: datetime, now: datetime) -> None:
    latest = select(_session.c.expires_at).order_by(_session.c.expires_at.desc())
    for first in (to_text(now), latest.limit(1).offset(KEPT - 1).scalar_subquery()):
        connection.execute(delete(_session).where(_session.c.expires_at < first))
    connection.execute(insert_or_ignore(_session), {"id": identity, "expires_at": to_text(expires_at)})
