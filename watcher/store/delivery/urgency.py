"""Let what an urgent delivery waits for go as early as the delivery itself would.

The mark ``urgent`` of a delivery therefore says when it is leased, and not what its events are.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final

from sqlalchemy import BindParameter, Connection, and_, bindparam, exists, select, update

from watcher.core.delivery.reason import is_refusal, read_reason
from watcher.core.delivery.state import State
from watcher.store import schema
from watcher.store.delivery import lines
from watcher.store.delivery.queue import WAITING_STATES
from watcher.store.sql.chunks import chunks

_delivery = schema.delivery
_receiver = schema.receiver.c
_THESE: Final[BindParameter[Any]] = bindparam("positions", expanding=True)
_HURRY: Final = update(_delivery).where(_delivery.c.position.in_(_THESE), ~_delivery.c.urgent).values(urgent=True)
_URGENT_BEHIND: Final = select(_delivery.c.position).where(
    _delivery.c.state.in_(WAITING_STATES),
    _delivery.c.receiver.in_(bindparam("receivers", expanding=True)),
    _delivery.c.first_in_line.is_(False),
    _delivery.c.urgent.is_(True),
)
_PARKED: Final = exists().where(_receiver.name == _delivery.c.receiver, _receiver.parked)
_PUT_OFF: Final = and_(_delivery.c.position.in_(_THESE), _delivery.c.next_at > bindparam("now"), _delivery.c.sealed)
_PENDING: Final = select(_delivery.c.position, _delivery.c.reason).where(
    _PUT_OFF, _delivery.c.state == State.PENDING.value, ~_PARKED
)
_TRY: Final = update(_delivery).where(_delivery.c.position.in_(_THESE)).values(next_at=bindparam("now"))


def hurry(connection: Connection, positions: Collection[int]) -> set[int]:
    """Make these deliveries urgent with all that they wait for; return all their positions."""
    found = lines.with_earlier(connection, positions)
    for chunk in chunks(sorted(found)):
        connection.execute(_HURRY, {"positions": chunk})
    return found


def hurry_all(connection: Connection, receivers: Collection[str]) -> None:
    """Do the same for every urgent delivery to these receivers that waits for another one."""
    hurry(connection, connection.scalars(_URGENT_BEHIND, {"receivers": sorted(receivers)}).all())


def try_now(connection: Connection, positions: Collection[int], now: str) -> None:
    """Make those of these deliveries due that wait for their next attempt.

    What may have arrived has a time of its own. A parked receiver is not tried more often, nor one that has just
    refused: the tries in which it may take that back must not follow each other at once.
    """
    for chunk in chunks(sorted(positions)):
        rows = connection.execute(_PENDING, {"positions": chunk, "now": now}).all()
        waiting = [row.position for row in rows if not is_refusal(read_reason(row.reason))]
        if waiting:
            connection.execute(_TRY, {"positions": waiting, "now": now})
