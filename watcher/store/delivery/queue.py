"""Seek the next deliveries of a receiver by their indexes, however many of them wait.

``ix_delivery_state`` has the deliveries of a state by their time, ``ix_delivery_turn`` by their turn: urgent ones
first, then the oldest.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from heapq import merge
from itertools import islice, product
from typing import Final

from sqlalchemy import Connection, Select, bindparam, func, select

from watcher.core.delivery.state import State
from watcher.store import schema

WAITING_STATES: Final = (State.PENDING.value, State.UNCERTAIN.value)
"""The states of deliveries that wait for an attempt or a lookup."""
FEW: Final = 32
"""So few due deliveries are sorted by their turn; of more, the next ones are sought."""

_table = schema.delivery.c
_waiting: Final = (
    _table.state == bindparam("state"),
    _table.receiver == bindparam("receiver"),
    _table.first_in_line == bindparam("first"),
)
_turn: Final = select(_table.urgent, _table.position).where(*_waiting)
_DUE: Final = _turn.where(_table.next_at <= bindparam("due_by")).limit(bindparam("limit"))
# An expression hides the time from the index of times: many due ones would all be read and sorted.
_NEXT: Final = (
    _turn.where(func.coalesce(_table.next_at, "") <= bindparam("due_by"))
    .order_by(_table.urgent.desc(), _table.position)
    .limit(bindparam("limit"))
)
_EARLIEST: Final = select(_table.next_at).where(*_waiting).order_by(_table.next_at).limit(1)
_OLDEST: Final = (
    select(_table.position).where(*_waiting, _table.urgent == bindparam("urgent")).order_by(_table.position).limit(1)
)
_AT: Final = select(_table.next_at).where(_table.position == bindparam("position"), _table.first_in_line)

Turn = tuple[bool, int]
"""Sorts deliveries: whether it is not urgent, then its position."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """The next due deliveries of a receiver."""

    receiver: str
    states: Collection[str]
    due_by: str
    """The time, as it is stored."""
    limit: int
    blocked: bool = False
    """Whether those that wait for an earlier one of a line are among them."""


def due_positions(connection: Connection, wanted: Wanted) -> list[int]:
    """Return the positions of the deliveries by their turn."""
    kinds = product(wanted.states, (True, False) if wanted.blocked else (True,))
    each = [_due(connection, wanted, state, first=first) for state, first in kinds]
    return [position for _, position in islice(merge(*each), wanted.limit)]


def _due(connection: Connection, wanted: Wanted, state: str, *, first: bool) -> list[Turn]:
    which = {"receiver": wanted.receiver, "state": state, "first": first, "due_by": wanted.due_by}
    few = max(FEW, wanted.limit)
    found = _turns(connection, _DUE, {**which, "limit": few + 1})
    if len(found) <= few:
        return sorted(found)
    return _turns(connection, _NEXT, {**which, "limit": wanted.limit})


def _turns(connection: Connection, query: Select[bool, int], which: dict[str, object]) -> list[Turn]:
    return [(not row.urgent, row.position) for row in connection.execute(query, which)]


def earliest(connection: Connection, receiver: str, *, oldest_only: bool) -> str | None:
    """Return the time at which the first delivery of a line is due; of a failing receiver, the oldest one."""
    if oldest_only:
        oldest = oldest_waiting(connection, receiver)
        return None if oldest is None else connection.scalar(_AT, {"position": oldest})
    times = (
        connection.scalar(_EARLIEST, {"receiver": receiver, "state": state, "first": True}) for state in WAITING_STATES
    )
    return min((time for time in times if time is not None), default=None)


def oldest_waiting(connection: Connection, receiver: str) -> int | None:
    """Return the position of the oldest delivery that waits for a receiver."""
    return min(_oldest(connection, receiver), default=None)


def _oldest(connection: Connection, receiver: str) -> Iterator[int]:
    for state, first, urgent in product(WAITING_STATES, (True, False), (True, False)):
        which = {"receiver": receiver, "state": state, "first": first, "urgent": urgent}
        if (position := connection.scalar(_OLDEST, which)) is not None:
            yield position
