"""Keep the first delivery of each line marked, so that a lease seeks it instead of searching for it.

A line holds the open deliveries of one subject to one receiver. A delivery of several events is in several lines, and
may be sent when it is the first in all of them. Each change of the table ``line`` goes through this module.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any, Final

from sqlalchemy import BindParameter, ColumnElement, Connection, Select, bindparam, delete, exists, func, select, update

from watcher.store import schema
from watcher.store.rows import Row
from watcher.store.sql.bulk import execute_many
from watcher.store.sql.chunks import chunks
from watcher.store.sql.upsert import insert_or_ignore

_delivery = schema.delivery
_own = schema.line.alias("own_line")
_other = schema.line.alias("other_line")
_same_line = (_other.c.receiver == _own.c.receiver) & (_other.c.subject == _own.c.subject)
_THESE: Final[BindParameter[Any]] = bindparam("positions", expanding=True)


def first_of_its_lines() -> ColumnElement[bool]:
    """Return the condition that no line of a delivery has an earlier open delivery."""
    earlier = exists().where(_own.c.position == _delivery.c.position, _same_line, _other.c.position < _own.c.position)
    return ~earlier.correlate(_delivery)


_INSERT: Final = insert_or_ignore(schema.line)
_DELETE: Final = delete(schema.line).where(schema.line.c.position.in_(_THESE))
_SUBJECTS: Final = select(schema.line.c.subject).where(schema.line.c.position.in_(_THESE)).distinct()
_FOLLOWERS: Final = select(
    select(func.min(_other.c.position)).where(_same_line, _other.c.position > _own.c.position).scalar_subquery()
).where(_own.c.position.in_(_THESE))
_MARK: Final = update(_delivery).where(_delivery.c.position.in_(_THESE)).values(first_in_line=first_of_its_lines())


def _with_all(neighbour: Select[int]) -> Select[int]:
    """Return the query of deliveries with all that one neighbour of each in a line leads to.

    The next one alone leads to the others: each is read once, however long a line is.
    """
    found = select(_own.c.position).where(_own.c.position.in_(_THESE)).cte("found", recursive=True)
    further = select(neighbour.correlate(_own).scalar_subquery())
    return select(found.union(further.join_from(found, _own, _own.c.position == found.c.position)).c.position)


_WITH_EARLIER: Final = _with_all(
    select(func.max(_other.c.position)).where(_same_line, _other.c.position < _own.c.position)
)
_WITH_LATER: Final = _with_all(
    select(func.min(_other.c.position)).where(_same_line, _other.c.position > _own.c.position)
)
_OCCUPIED: Final = (
    select(schema.line.c.receiver, schema.line.c.subject)
    .where(schema.line.c.receiver == bindparam("receiver"))
    .where(schema.line.c.subject.in_(bindparam("subjects", expanding=True)))
    .distinct()
)


def occupied(connection: Connection, receiver: str, subjects: Collection[str]) -> Iterator[str]:
    """Return the subjects that have an open delivery to a receiver."""
    for chunk in chunks(sorted(subjects)):
        found = connection.execute(_OCCUPIED, {"receiver": receiver, "subjects": chunk})
        yield from (row.subject for row in found)


def append(connection: Connection, rows: Sequence[Row]) -> None:
    """Add deliveries to the ends of lines; the caller has marked whether they are the first."""
    if rows:
        execute_many(connection, _INSERT, rows)


def with_earlier(connection: Connection, positions: Collection[int]) -> set[int]:
    """Return these deliveries with all that they wait for, also by another line."""
    return _all_of(connection, _WITH_EARLIER, positions)


def with_later(connection: Connection, positions: Collection[int]) -> set[int]:
    """Return these deliveries with all that wait for them, also by another line."""
    return _all_of(connection, _WITH_LATER, positions)


def _all_of(connection: Connection, query: Select[int], positions: Collection[int]) -> set[int]:
    found: set[int] = set()
    for chunk in chunks(positions):
        found |= set(connection.scalars(query, {"positions": chunk}))
    # Beyond the end of a line there is none.
    return found - {None}


def release(connection: Connection, positions: Collection[int]) -> None:
    """Take deliveries out of their lines, and mark those that are the first by that."""
    for chunk in chunks(positions):
        followers = set(connection.scalars(_FOLLOWERS, {"positions": chunk})) - {None}
        connection.execute(_DELETE, {"positions": chunk})
        mark(connection, followers)


def move(connection: Connection, receiver: str, positions: Collection[int], to: int) -> None:
    """Give the places of deliveries to one that is older than everything in their lines, so that no mark changes."""
    for chunk in chunks(positions):
        subjects = connection.scalars(_SUBJECTS, {"positions": chunk}).all()
        connection.execute(_DELETE, {"positions": chunk})
        append(connection, [{"receiver": receiver, "subject": subject, "position": to} for subject in subjects])


def mark(connection: Connection, positions: Collection[int]) -> None:
    """Mark whether each of these deliveries is the first in its lines."""
    for chunk in chunks(positions):
        connection.execute(_MARK, {"positions": chunk})
