"""The actions of people: written with their effect in one transaction, read by reports."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from sqlalchemy import Connection, RowMapping, and_, delete, func, insert, select

from watcher.core.action import Action, ActionKind
from watcher.core.delivery.reason import read_reason, write_reason
from watcher.core.timestamps import from_text, to_text
from watcher.store import schema
from watcher.store.sql.chunks import chunks
from watcher.store.writer import StoreWriter

_action = schema.operator_action


class ActionLog:
    """The store as an operation uses it that changes nothing else there."""

    def __init__(self, database: StoreWriter) -> None:
        self._database = database

    async def record(self, action: Action) -> None:
        """Store an action."""
        await self._database.write(lambda connection: record(connection, [action]))


def record(connection: Connection, actions: Iterable[Action]) -> None:
    """Store actions."""
    rows = [_row(action) for action in actions]
    if rows:
        connection.execute(insert(_action), rows)


def of_targets(connection: Connection, targets: Iterable[str]) -> Mapping[str, tuple[Action, ...]]:
    """Return the actions on these targets, by target, the oldest first."""
    found: dict[str, tuple[Action, ...]] = {}
    for part in chunks(dict.fromkeys(targets)):
        query = select(_action).where(_action.c.target.in_(part)).order_by(_action.c.position)
        for row in connection.execute(query).mappings():
            found[row["target"]] = (*found.get(row["target"], ()), _read(row))
    return found


def latest(
    connection: Connection, kinds: Iterable[ActionKind], limit: int | None, since: datetime | None = None
) -> list[Action]:
    """Return the latest actions of these kinds, the newest first; none before ``since``."""
    wanted = _action.c.kind.in_(sorted(kind.value for kind in kinds))
    query = select(_action).where(wanted).order_by(_action.c.position.desc()).limit(limit)
    if since is not None:
        query = query.where(_action.c.at >= to_text(since))
    return [_read(row) for row in connection.execute(query).mappings()]


def latest_on(connection: Connection, targets: Iterable[str], kinds: Iterable[ActionKind]) -> Mapping[str, Action]:
    """Return the latest action of these kinds on each of these targets, by target."""
    wanted = sorted(kind.value for kind in kinds)
    found: dict[str, Action] = {}
    for part in chunks(targets):
        on_these = and_(_action.c.target.in_(part), _action.c.kind.in_(wanted))
        newest = select(func.max(_action.c.position)).where(on_these).group_by(_action.c.target)
        rows = connection.execute(select(_action).where(_action.c.position.in_(newest))).mappings()
        found |= {row["target"]: _read(row) for row in rows}
    return found


def beside(connection: Connection, action: Action, limit: int) -> list[str]:
    """Return the targets of an action and of those that the same person did in the same transaction."""
    same = and_(
        _action.c.at == to_text(action.at), _action.c.kind == action.kind.value, _action.c.author == action.author
    )
    return list(connection.execute(select(_action.c.target).where(same).limit(limit)).scalars())


def prune_actions(connection: Connection, before: datetime) -> None:
    """Delete actions before this time."""
    connection.execute(delete(_action).where(_action.c.at < to_text(before)))


def _row(action: Action) -> dict[str, str]:
    return {
        "kind": action.kind.value,
        "target": action.target,
        "author": action.author,
        "at": to_text(action.at),
        "outcome": action.outcome,
        "reason": write_reason(action.reason),
    }


def _read(row: RowMapping) -> Action:
    return Action(
        kind=ActionKind(row["kind"]),
        target=row["target"],
        author=row["author"],
        at=from_text(row["at"]),
        outcome=row["outcome"],
        reason=read_reason(row["reason"]),
    )
