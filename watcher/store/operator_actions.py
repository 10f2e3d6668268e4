"""What a person changes about deliveries: sending again, and dropping. Both by id, or its unique beginning."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, RowMapping, and_, select, true, update

from watcher.core.delivery.model import State, Verdict
from watcher.core.timestamps import to_text
from watcher.store import receivers, schema
from watcher.store.deliveries import mark_dead
from watcher.store.sqlite.database import Database

RETRIED = "retried by hand"
_delivery = schema.delivery
_ENDED = (State.DEAD.value, State.HELD.value)
_FIXED = {
    State.SENDING.value: "is being sent at this moment; try again in a minute",
    State.DELIVERED.value: "was delivered",
    State.DROPPED.value: "was dropped",
    State.SILENCED.value: "was silenced, and is never sent",
}
"""States in which a delivery is left alone, and what is said of it."""


class DeliveryRefusedError(ValueError):
    """A delivery is not there, or cannot be changed; the text says what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What was done to one delivery."""

    id: str
    receiver: str
    before: State
    after: State


class OperatorActions:
    """The store as a person's commands see it; each call is done whole or not at all."""

    def __init__(self, database: Database, receivers: Collection[str]) -> None:
        """Take the store, and the receivers that are configured: nobody sends what goes to others."""
        self._database = database
        self._receivers = receivers

    async def retry(self, beginnings: Iterable[str], now: datetime) -> list[Change]:
        """Send deliveries again, at once and out of order.

        Raises:
            DeliveryRefusedError: one of them is not there, or cannot be sent again.
        """
        wanted = list(beginnings)

        def work(connection: Connection) -> list[Change]:
            rows = [_found(connection, item) for item in wanted]
            for row in rows:
                self._check_receiver(row["receiver"], f"delivery {row['id']} goes to {row['receiver']!r}, which")
            return _retry(connection, rows, now)

        return await self._database.write(work)

    async def retry_all_dead(self, receiver: str | None, now: datetime) -> list[Change]:
        """Send every dead letter again, of one receiver or of all.

        Returns:
            list[Change]: also those that stay dead, since their receiver is not configured.

        Raises:
            DeliveryRefusedError: the receiver is not configured.
        """
        if receiver is not None:
            self._check_receiver(receiver, f"{receiver!r}")

        def work(connection: Connection) -> list[Change]:
            rows = _dead(connection, receiver)
            left = [_change(row, State.DEAD) for row in rows if row["receiver"] not in self._receivers]
            return _retry(connection, [row for row in rows if row["receiver"] in self._receivers], now) + left

        return await self._database.write(work)

    async def drop(self, beginnings: Iterable[str], by: str, now: datetime) -> list[Change]:
        """End deliveries without sending them.

        Raises:
            DeliveryRefusedError: one of them is not there, or has ended.
        """
        wanted = list(beginnings)
        return await self._database.write(
            lambda connection: _drop(connection, [_found(connection, item) for item in wanted], by, now)
        )

    def _check_receiver(self, name: str, what: str) -> None:
        if name not in self._receivers:
            raise DeliveryRefusedError(
                f"{what} is not in the configuration, so that nobody would send it; write the receiver there again "
                "under this name and reload, or end it by aitems-watcher deliveries drop"
            )


def _found(connection: Connection, beginning: str) -> RowMapping:
    query = select(_delivery).where(_delivery.c.id.startswith(beginning, autoescape=True)).limit(2)
    rows = connection.execute(query).mappings().all() if beginning else []
    if not rows:
        raise DeliveryRefusedError(f"there is no delivery {beginning!r}; see aitems-watcher deliveries list")
    if len(rows) > 1 and rows[0]["id"] != beginning:
        raise DeliveryRefusedError(f"several deliveries begin with {beginning!r}; write more of the id")
    if (fault := _FIXED.get(rows[0]["state"])) is not None:
        raise DeliveryRefusedError(f"delivery {rows[0]['id']} {fault}")
    return rows[0]


def _dead(connection: Connection, receiver: str | None) -> list[RowMapping]:
    of_whom = true() if receiver is None else _delivery.c.receiver == receiver
    dead = and_(_delivery.c.state == State.DEAD.value, of_whom)
    return list(connection.execute(select(_delivery).where(dead).order_by(_delivery.c.position)).mappings())


def _retry(connection: Connection, rows: list[RowMapping], now: datetime) -> list[Change]:
    for row in rows:
        due = update(_delivery).where(_delivery.c.position == row["position"])
        if row["state"] in _ENDED:
            connection.execute(due.values(_begun_anew(now)))
            entries = update(schema.ledger).where(schema.ledger.c.delivery_id == row["id"])
            connection.execute(entries.values(ending=None, ended_at=None))
        else:
            connection.execute(due.values(next_at=to_text(now)))
    for name in dict.fromkeys(row["receiver"] for row in rows):
        receivers.probe(connection, name, now)
    return [_change(row, State.PENDING) for row in rows]


def _begun_anew(now: datetime) -> dict[str, object]:
    """Return the columns of a delivery that a person sends again: its time to be given up begins anew.

    Its lines are not taken up again: what came after it may be delivered already. Whether it may be a repeat stays.
    """
    return {
        "state": State.PENDING.value,
        "reason": RETRIED,
        "attempts": 0,
        "lookups": 0,
        "degrade": 0,
        "created_at": to_text(now),
        "next_at": to_text(now),
        "settled_at": None,
    }


def _drop(connection: Connection, rows: list[RowMapping], by: str, now: datetime) -> list[Change]:
    for row in rows:
        mark_dead(connection, row["id"], Verdict(state=State.DROPPED, reason=f"dropped by {by}"), now)
    return [_change(row, State.DROPPED) for row in rows]


def _change(row: RowMapping, after: State) -> Change:
    return Change(id=row["id"], receiver=row["receiver"], before=State(row["state"]), after=after)
