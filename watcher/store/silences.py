"""Silences: added and ended by people, read by the routing stage."""

from __future__ import annotations

import secrets
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, and_, delete, exists, insert, select, update

from watcher.core.action import Action, ActionKind
from watcher.core.delivery.state import State
from watcher.core.routing.matcher import Matcher
from watcher.core.routing.silence import Silence
from watcher.core.timestamps import to_text
from watcher.store import schema
from watcher.store.actions import record
from watcher.store.rows import read_silence, silence_row
from watcher.store.writer import StoreWriter

ID_BYTES: Final = 5
SAME: Final = timedelta(seconds=10)
"""A silence that is added again within this time is the one that exists."""

_silence = schema.silence


class SilenceRefusedError(ValueError):
    """A silence does not exist, or has ended; the message says how to go on."""


class Silences:
    """The store as the commands for silences use it; each call is one transaction."""

    def __init__(self, database: StoreWriter) -> None:
        self._database = database

    async def add(self, match: Matcher, lasts: timedelta, author: str, reason: str, now: datetime) -> Silence:
        """Add a silence that starts now, or return the same one that was added a moment ago."""
        silence = Silence(
            id=f"sil_{secrets.token_hex(ID_BYTES)}",
            match=match,
            starts_at=now,
            ends_at=now + lasts,
            author=author,
            reason=reason,
        )
        return await self._database.write(lambda connection: _add(connection, silence))

    async def end(self, beginning: str, by: str, now: datetime) -> Silence:
        """End a silence before its time.

        Raises:
            SilenceRefusedError: no silence, or several, have an id that begins so, or it has ended.
        """
        return await self._database.write(lambda connection: _end(connection, beginning, by, now))


def active(connection: Connection, now: datetime) -> list[Silence]:
    """Return the silences that are active at this time, the oldest first."""
    table, time = _silence.c, to_text(now)
    is_active = and_(table.starts_at <= time, table.ends_at > time, table.ended_at.is_(None))
    rows = connection.execute(select(_silence).where(is_active).order_by(table.starts_at, table.id)).mappings()
    return [read_silence(row) for row in rows]


def every(connection: Connection) -> list[Silence]:
    """Return every silence, ended ones too, the oldest first."""
    rows = connection.execute(select(_silence).order_by(_silence.c.starts_at, _silence.c.id)).mappings()
    return [read_silence(row) for row in rows]


def by_id(connection: Connection, identity: str) -> Silence | None:
    """Return the silence with this id."""
    row = connection.execute(select(_silence).where(_silence.c.id == identity)).mappings().one_or_none()
    return None if row is None else read_silence(row)


def prune_silences(connection: Connection, before: datetime) -> None:
    """Delete silences that ended before this time and that no delivery names any more."""
    named = exists().where(schema.delivery.c.state == State.SILENCED.value, schema.delivery.c.reason == _silence.c.id)
    connection.execute(delete(_silence).where(_silence.c.ends_at < to_text(before), ~named))


def _add(connection: Connection, silence: Silence) -> Silence:
    for known in active(connection, silence.starts_at):
        if _is_repeat(silence, known):
            return known
    connection.execute(insert(_silence), silence_row(silence))
    _record(connection, ActionKind.SILENCE, silence.id, silence.author, silence.starts_at)
    return silence


def _is_repeat(silence: Silence, known: Silence) -> bool:
    """Say whether a silence is the known one: a form may be sent twice, by a double click or after a lost answer."""
    later = silence.starts_at - known.starts_at
    moved = replace(known, id=silence.id, starts_at=silence.starts_at, ends_at=known.ends_at + later)
    return later < SAME and moved == silence


def _record(connection: Connection, kind: ActionKind, identity: str, author: str, at: datetime) -> None:
    record(connection, [Action(kind=kind, target=identity, author=author, at=at)])


def _end(connection: Connection, beginning: str, by: str, now: datetime) -> Silence:
    silence = _found(connection, beginning)
    if silence.ended_at is not None or silence.ends_at <= now:
        raise SilenceRefusedError(f"silence {silence.id} is over since {to_text(silence.over_at)}")
    ended = replace(silence, ended_at=now, ended_by=by)
    # The condition counts where two people end it at once: the first one is recorded.
    still_active = and_(_silence.c.id == silence.id, _silence.c.ended_at.is_(None))
    changed = connection.execute(update(_silence).where(still_active).values(ended_at=to_text(now), ended_by=by))
    if changed.rowcount != 1:
        raise SilenceRefusedError(f"silence {silence.id} has just been ended by somebody else")
    _record(connection, ActionKind.END_SILENCE, silence.id, by, now)
    return ended


def _found(connection: Connection, beginning: str) -> Silence:
    query = select(_silence).where(_silence.c.id.istartswith(beginning, autoescape=True)).limit(2)
    rows = connection.execute(query).mappings().all() if beginning else []
    if not rows:
        raise SilenceRefusedError(f"there is no silence {beginning!r}; see aitems-watcher silence list --all")
    if len(rows) > 1:
        raise SilenceRefusedError(f"several silences begin with {beginning!r}; write more of the id")
    return read_silence(rows[0])
