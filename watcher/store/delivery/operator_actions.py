"""Send deliveries again or drop them, as an operator asks; both by id, or its unique beginning."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, RowMapping, and_, select, true, update

from watcher.core.action import Action, ActionKind
from watcher.core.delivery.model import Verdict
from watcher.core.delivery.reason import Reason, ReasonCode, write_reason
from watcher.core.delivery.state import State
from watcher.core.delivery.waiting import DeliveryEnd
from watcher.core.timestamps import to_text
from watcher.store import schema
from watcher.store.actions import record
from watcher.store.delivery import endings, lines, receivers
from watcher.store.rows import Row
from watcher.store.sql.chunks import chunks
from watcher.store.writer import StoreWriter

_delivery = schema.delivery
_ENDED = (State.DEAD.value, State.HELD.value)
_FIXED = {
    State.SENDING.value: "is being sent; try again in a minute",
    State.DELIVERED.value: "was delivered",
    State.DROPPED.value: "was dropped",
    State.SILENCED.value: "was silenced, and is never sent",
}
"""States that an operator cannot change, and how the refusal names them."""


class DeliveryRefusedError(ValueError):
    """A delivery does not exist, or cannot be changed; the message says how to go on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """The state of a delivery before and after the action."""

    id: str
    receiver: str
    before: State
    after: State


class OperatorActions:
    """The store as the commands for deliveries use it; each call is one transaction."""

    def __init__(self, database: StoreWriter, receivers: Collection[str]) -> None:
        """Take the store, and the configured receivers: no worker sends to others."""
        self._database = database
        self._receivers = receivers

    async def retry(self, beginnings: Iterable[str], by: str, now: datetime) -> list[Change]:
        """Send deliveries again, at once: one that has ended out of order, another one after those that it waits for.

        Raises:
            DeliveryRefusedError: a delivery does not exist, or cannot be sent again.
        """
        wanted = list(beginnings)

        def work(connection: Connection) -> list[Change]:
            rows = [_found(connection, item) for item in wanted]
            for row in rows:
                self._check_receiver(row["receiver"], f"delivery {row['id']} goes to {row['receiver']!r}, which")
            return _retry(connection, rows, by, now)

        return await self._database.write(work)

    async def retry_all_dead(
        self, receiver: str | None, by: str, now: datetime, limit: int | None = None
    ) -> list[Change]:
        """Send every dead letter again, of one receiver or of all; or the oldest ones up to a limit.

        Returns:
            list[Change]: also those that stay dead because their receiver is not configured.

        Raises:
            DeliveryRefusedError: the receiver is not configured.
        """
        if receiver is not None:
            self._check_receiver(receiver, f"{receiver!r}")

        def work(connection: Connection) -> list[Change]:
            rows = _dead(connection, receiver, limit)
            left = [_change(row, State.DEAD) for row in rows if row["receiver"] not in self._receivers]
            return _retry(connection, [row for row in rows if row["receiver"] in self._receivers], by, now) + left

        return await self._database.write(work)

    async def drop(self, beginnings: Iterable[str], by: str, now: datetime) -> list[Change]:
        """End deliveries without sending them.

        Raises:
            DeliveryRefusedError: a delivery does not exist, or has ended.
        """
        wanted = list(beginnings)
        return await self._database.write(
            lambda connection: _drop(connection, [_found(connection, item) for item in wanted], by, now)
        )

    def _check_receiver(self, name: str, subject: str) -> None:
        if name not in self._receivers:
            raise DeliveryRefusedError(
                f"{subject} is not in the configuration, so nothing would send it; write the receiver there again "
                "under this name and reload, or end it by aitems-watcher deliveries drop"
            )


def _found(connection: Connection, beginning: str) -> RowMapping:
    query = select(_delivery).where(_delivery.c.id.istartswith(beginning, autoescape=True)).limit(2)
    rows = connection.execute(query).mappings().all() if beginning else []
    if not rows:
        raise DeliveryRefusedError(f"there is no delivery {beginning!r}; see aitems-watcher deliveries list")
    if len(rows) > 1 and rows[0]["id"] != beginning:
        raise DeliveryRefusedError(f"several deliveries begin with {beginning!r}; write more of the id")
    if (refusal := _FIXED.get(rows[0]["state"])) is not None:
        raise DeliveryRefusedError(f"delivery {rows[0]['id']} {refusal}")
    return rows[0]


def _dead(connection: Connection, receiver: str | None, limit: int | None) -> list[RowMapping]:
    to_receiver = true() if receiver is None else _delivery.c.receiver == receiver
    dead = and_(_delivery.c.state == State.DEAD.value, to_receiver)
    query = select(_delivery).where(dead).order_by(_delivery.c.position).limit(limit)
    return list(connection.execute(query).mappings())


def _retry(connection: Connection, rows: list[RowMapping], by: str, now: datetime) -> list[Change]:
    for row in rows:
        if row["state"] in _ENDED:
            _update(connection, row, _restarted(by, now))
            entries = update(schema.ledger).where(schema.ledger.c.delivery_id == row["id"])
            connection.execute(entries.values(ending=None, ended_at=None))
        else:
            _update(connection, row, {"next_at": to_text(now)})
            _make_earlier_due(connection, row["position"], now)
    for name in dict.fromkeys(row["receiver"] for row in rows):
        receivers.probe(connection, name, now)
    _record(connection, ActionKind.RETRY, rows, by, now)
    return [_change(row, State.PENDING) for row in rows]


def _make_earlier_due(connection: Connection, position: int, now: datetime) -> None:
    """Make due what a delivery waits for, since it is sent after that; an uncertain one waits for its lookup."""
    for positions in chunks(lines.with_earlier(connection, [position])):
        pending = and_(_delivery.c.position.in_(positions), _delivery.c.state == State.PENDING.value)
        receivers.make_due(connection, pending, now)


def _update(connection: Connection, row: RowMapping, values: Row) -> None:
    """Write a delivery that is still in the state that was read: an attempt may have begun in another process."""
    unchanged = and_(_delivery.c.position == row["position"], _delivery.c.state == row["state"])
    if connection.execute(update(_delivery).where(unchanged).values(values)).rowcount != 1:
        raise _has_changed(row)


def _has_changed(row: RowMapping) -> DeliveryRefusedError:
    return DeliveryRefusedError(f"delivery {row['id']} has just changed; look at it and try again")


def _restarted(by: str, now: datetime) -> Row:
    """Return the columns of a delivery that an operator sends again: its time to expire begins anew.

    It joins its lines no more, since later deliveries may have arrived already. ``may_be_repeat`` stays.
    """
    return {
        "state": State.PENDING.value,
        "reason": write_reason(Reason(code=ReasonCode.RETRIED, name=by)),
        "attempts": 0,
        "lookups": 0,
        "degrade": 0,
        "first_in_line": True,
        "created_at": to_text(now),
        "allowed_at": to_text(now),
        "next_at": to_text(now),
        "settled_at": None,
    }


def _drop(connection: Connection, rows: list[RowMapping], by: str, now: datetime) -> list[Change]:
    verdict = Verdict(state=State.DROPPED, reason=Reason(code=ReasonCode.DROPPED, name=by))
    for row in rows:
        if not endings.end(connection, DeliveryEnd(id=row["id"], state=State(row["state"]), verdict=verdict), now):
            raise _has_changed(row)
    _record(connection, ActionKind.DROP, rows, by, now)
    return [_change(row, State.DROPPED) for row in rows]


def _record(connection: Connection, kind: ActionKind, rows: list[RowMapping], by: str, now: datetime) -> None:
    record(connection, [Action(kind=kind, target=row["id"], author=by, at=now) for row in rows])


def _change(row: RowMapping, after: State) -> Change:
    return Change(id=row["id"], receiver=row["receiver"], before=State(row["state"]), after=after)
