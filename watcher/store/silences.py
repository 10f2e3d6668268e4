"""Silences: kept, ended, and read where events are routed."""

from __future__ import annotations

import secrets
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, and_, delete, exists, insert, select, update

from watcher.core.delivery.model import State
from watcher.core.routing.matcher import Matcher
from watcher.core.routing.silence import Silence
from watcher.core.timestamps import to_text
from watcher.store import schema
from watcher.store.rows import read_silence, silence_row
from watcher.store.sqlite.database import Database

ID_BYTES: Final = 5

_silence = schema.silence


class SilenceRefusedError(ValueError):
    """A silence is not there, or is over; the text says what to do."""


class Silences:
    """The store as a person's commands see it; each call is done whole or not at all."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, match: Matcher, lasts: timedelta, author: str, reason: str, now: datetime) -> Silence:
        """Keep a silence that holds from now on."""
        silence = Silence(
            id=f"sil_{secrets.token_hex(ID_BYTES)}",
            match=match,
            starts_at=now,
            ends_at=now + lasts,
            author=author,
            reason=reason,
        )
        await self._database.write(lambda connection: connection.execute(insert(_silence), silence_row(silence)))
        return silence

    async def end(self, beginning: str, by: str, now: datetime) -> Silence:
        """End a silence before its time.

        Raises:
            SilenceRefusedError: there is none whose id begins so, or it is over.
        """
        return await self._database.write(lambda connection: _end(connection, beginning, by, now))


def active(connection: Connection, now: datetime) -> list[Silence]:
    """Return the silences that hold at this time, the first that was added first."""
    at, table = to_text(now), _silence.c
    holds = and_(table.starts_at <= at, table.ends_at > at, table.ended_at.is_(None))
    rows = connection.execute(select(_silence).where(holds).order_by(table.starts_at, table.id)).mappings()
    return [read_silence(row) for row in rows]


def every(connection: Connection) -> list[Silence]:
    """Return every silence that is kept, those that are over too, the first that was added first."""
    rows = connection.execute(select(_silence).order_by(_silence.c.starts_at, _silence.c.id)).mappings()
    return [read_silence(row) for row in rows]


def by_id(connection: Connection, identity: str) -> Silence | None:
    """Return one silence."""
    row = connection.execute(select(_silence).where(_silence.c.id == identity)).mappings().one_or_none()
    return None if row is None else read_silence(row)


def prune_silences(connection: Connection, before: datetime) -> None:
    """Forget what was over before this time and what no delivery names any more."""
    named = exists().where(schema.delivery.c.state == State.SILENCED.value, schema.delivery.c.reason == _silence.c.id)
    connection.execute(delete(_silence).where(_silence.c.ends_at < to_text(before), ~named))


def _end(connection: Connection, beginning: str, by: str, now: datetime) -> Silence:
    silence = _found(connection, beginning)
    if silence.ended_at is not None or silence.ends_at <= now:
        raise SilenceRefusedError(f"silence {silence.id} is over since {to_text(silence.over_at)}")
    ended = replace(silence, ended_at=now, ended_by=by)
    connection.execute(update(_silence).where(_silence.c.id == silence.id).values(silence_row(ended)))
    return ended


def _found(connection: Connection, beginning: str) -> Silence:
    query = select(_silence).where(_silence.c.id.startswith(beginning, autoescape=True)).limit(2)
    rows = connection.execute(query).mappings().all() if beginning else []
    if not rows:
        raise SilenceRefusedError(f"there is no silence {beginning!r}; see aitems-watcher silence list --all")
    if len(rows) > 1:
        raise SilenceRefusedError(f"several silences begin with {beginning!r}; write more of the id")
    return read_silence(rows[0])
