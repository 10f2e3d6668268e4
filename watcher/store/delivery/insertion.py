"""Insert the planned deliveries of routed events: those of single events together, groups one by one.

An open group takes events until it is leased, so the deliveries before it in the plan are inserted first.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from sqlalchemy import (
    Column,
    Connection,
    RowMapping,
    ScalarSelect,
    and_,
    bindparam,
    case,
    func,
    insert,
    select,
    update,
)

from watcher.core.delivery.state import State
from watcher.core.event import delivery_id
from watcher.core.routing.planning import PlannedDelivery, RoutedEvent
from watcher.core.routing.routes import Group, Recipient, merge_mentions
from watcher.core.timestamps import to_text
from watcher.store import schema
from watcher.store.delivery import lines, urgency
from watcher.store.rows import Row, read_mentions, write_mentions
from watcher.store.sql.bulk import execute_many
from watcher.store.sql.chunks import chunks

_delivery = schema.delivery
_line = schema.line.c
_INSERT: Final = insert(_delivery)
_INSERT_ENTRY: Final = insert(schema.ledger)
_POSITIONS: Final = select(_delivery.c.id, _delivery.c.position).where(
    _delivery.c.id.in_(bindparam("ids", expanding=True))
)
# A group that is due already, but not yet the first of its lines, must take nothing more either.
_RELEASE: Final = (
    update(_delivery)
    .where(~_delivery.c.sealed, _delivery.c.group_key.is_not(None))
    .values(
        next_at=case((_delivery.c.next_at > bindparam("now"), bindparam("now")), else_=_delivery.c.next_at),
        allowed_at=case((_delivery.c.next_at > bindparam("now"), bindparam("now")), else_=_delivery.c.next_at),
        group_key=None,
    )
)
_RELEASE_OF_KEY: Final = _RELEASE.where(_delivery.c.group_key == bindparam("key"))
_RELEASE_THESE: Final = _RELEASE.where(_delivery.c.position.in_(bindparam("positions", expanding=True)))
_RELEASE_OF_LINES: Final = _RELEASE.where(
    _delivery.c.receiver == bindparam("to"),
    _delivery.c.position.in_(
        select(_line.position).where(
            _line.receiver == bindparam("to"), _line.subject.in_(bindparam("subjects", expanding=True))
        )
    ),
)


def insert_planned(connection: Connection, events: Iterable[RoutedEvent], now: datetime) -> None:
    """Insert the deliveries of these events, in their order."""
    singles = _Singles(connection, now)
    for routed in events:
        for planned in routed.deliveries:
            if planned.recipient.group is None or routed.silence is not None:
                singles.add(routed, planned)
            else:
                singles.insert()
                _join_group(connection, routed, planned, planned.recipient.group, now)
    singles.insert()


def release(connection: Connection, key: str | None, now: datetime) -> None:
    """Make the open groups of a key due now; ``None`` stands for every key. They are sealed when they are leased."""
    if key is None:
        connection.execute(_RELEASE, {"now": to_text(now)})
    else:
        connection.execute(_RELEASE_OF_KEY, {"now": to_text(now), "key": key})


class _Singles:
    """Deliveries of single events that are inserted together."""

    def __init__(self, connection: Connection, now: datetime) -> None:
        self._connection = connection
        self._now = to_text(now)
        self._waiting: list[tuple[Row, Row]] = []
        """Each delivery with its ledger entry."""

    def add(self, routed: RoutedEvent, planned: PlannedDelivery) -> None:
        """Take a delivery for the next insert."""
        row = _row(routed, planned, self._now)
        row |= _single(planned, self._now) if routed.silence is None else _silenced(routed.silence, self._now)
        self._waiting.append((row, _entry(routed, planned, row["id"], row["settled_at"])))

    def insert(self) -> None:
        """Insert the deliveries with their ledger entries and their places in the lines."""
        waiting, self._waiting = self._waiting, []
        for part in chunks(waiting):
            self._insert(part)

    def _insert(self, part: list[tuple[Row, Row]]) -> None:
        # A silenced delivery has ended and blocks no line.
        in_lines = [(row, entry) for row, entry in part if entry["ending"] is None]
        for receiver in dict.fromkeys(row["receiver"] for row, _ in in_lines):
            self._mark_first(
                receiver, [(row, entry["subject"]) for row, entry in in_lines if row["receiver"] == receiver]
            )
        execute_many(self._connection, _INSERT, [row for row, _ in part])
        execute_many(self._connection, _INSERT_ENTRY, [entry for _, entry in part])
        found = self._connection.execute(_POSITIONS, {"ids": [row["id"] for row, _ in in_lines]}) if in_lines else ()
        positions = {row.id: row.position for row in found}
        lines.append(self._connection, [_place(entry, positions[row["id"]]) for row, entry in in_lines])
        self._hurry([positions[row["id"]] for row, _ in in_lines if row["urgent"] and not row["first_in_line"]])

    def _hurry(self, waiting: list[int]) -> None:
        # An earlier message of its training would keep a failure behind the news of all others. So would its next
        # attempt, or an open group that it waits for.
        found = urgency.hurry(self._connection, waiting)
        urgency.try_now(self._connection, found, self._now)
        for positions in chunks(sorted(found)):
            self._connection.execute(_RELEASE_THESE, {"now": self._now, "positions": positions})

    def _mark_first(self, receiver: str, rows: list[tuple[Row, str]]) -> None:
        subjects = sorted({subject for _, subject in rows})
        # A single message must not overtake a group that holds the same subject.
        self._connection.execute(_RELEASE_OF_LINES, {"now": self._now, "to": receiver, "subjects": subjects})
        occupied = set(lines.occupied(self._connection, receiver, subjects))
        for row, subject in rows:
            row["first_in_line"] = subject not in occupied
            occupied.add(subject)


def _row(routed: RoutedEvent, planned: PlannedDelivery, now: str) -> Row:
    """Return the columns that every new delivery has."""
    event, recipient = routed.event, planned.recipient
    return {
        "id": delivery_id((event.id,), recipient.receiver),
        "receiver": recipient.receiver,
        "group_key": None,
        "sealed": True,
        "urgent": event.urgent,
        "body": None,
        "state": State.PENDING.value,
        "reason": "",
        "may_be_repeat": False,
        "created_at": now,
        "next_at": None,
        "allowed_at": now,
        "settled_at": None,
        "mention": write_mentions(recipient.mentions),
        "fallback_for": event.fallback_for,
        "first_in_line": True,
    }


def _single(planned: PlannedDelivery, now: str) -> Row:
    doubt: Row = {"state": State.UNCERTAIN.value, "may_be_repeat": True} if planned.recipient.in_doubt else {}
    return {"body": planned.body, "next_at": now, **doubt}


def _silenced(silence: str, now: str) -> Row:
    # It ends at once: the row only records the silence.
    return {"state": State.SILENCED.value, "reason": silence, "settled_at": now}


def _entry(routed: RoutedEvent, planned: PlannedDelivery, identity: str, ended_at: str | None = None) -> Row:
    return {
        "event_id": routed.event.id,
        "receiver": planned.recipient.receiver,
        "delivery_id": identity,
        "subject": routed.event.subject,
        "receiver_seq": planned.receiver_seq,
        "ending": None if ended_at is None else State.SILENCED.value,
        "ended_at": ended_at,
    }


def _place(entry: Row, position: int) -> Row:
    return {"receiver": entry["receiver"], "subject": entry["subject"], "position": position}


def _join_group(
    connection: Connection, routed: RoutedEvent, planned: PlannedDelivery, group: Group, now: datetime
) -> None:
    recipient = planned.recipient
    open_group = _open_group(connection, recipient.receiver, group, routed.event.subject)
    urgent = routed.event.urgent or (open_group is not None and open_group["urgent"])
    if open_group is None:
        position, identity = _insert_group(connection, routed, planned, group, now)
    else:
        position, identity = open_group["position"], open_group["id"]
        _add_mentions(connection, open_group, recipient)
    entry = _entry(routed, planned, identity)
    connection.execute(_INSERT_ENTRY, entry)
    lines.append(connection, [_place(entry, position)])
    # An earlier delivery of this subject may be open, though the group was the first of its lines until now.
    lines.mark(connection, [position])
    if urgent:
        urgency.hurry(connection, [position])


def _insert_group(
    connection: Connection, routed: RoutedEvent, planned: PlannedDelivery, group: Group, now: datetime
) -> tuple[int, str]:
    # A group may go at the end of its wait; an age of our own making expires nothing.
    due_at = to_text(now + group.patience)
    opened = {"sealed": False, "group_key": group.key, "next_at": due_at, "allowed_at": due_at}
    row = {**_row(routed, planned, to_text(now)), **opened}
    # Not RETURNING: SQLite has it from 3.35 on, and Debian 11 and RHEL 9 have 3.34.
    key = connection.execute(_INSERT, row).inserted_primary_key
    return int(key[0]), row["id"]  # type: ignore[index]  # one row has a key


def _add_mentions(connection: Connection, open_group: RowMapping, recipient: Recipient) -> None:
    mention = write_mentions(merge_mentions(read_mentions(open_group["mention"]), recipient.mentions))
    if mention != open_group["mention"]:
        this = _delivery.c.position == open_group["position"]
        connection.execute(update(_delivery).where(this).values(mention=mention))


def _open_group(connection: Connection, receiver: str, group: Group, subject: str) -> RowMapping | None:
    """Return the group that still takes an event of this subject, if there is one.

    PostgreSQL locks the row and reads its condition again once it has the lock. Without the lock, a worker could seal
    the group between this query and the ledger entry, and the event would be in no message. SQLite has one writer.
    """
    table = _delivery.c
    open_groups = and_(table.receiver == receiver, table.group_key == group.key, ~table.sealed)
    # An event must not join a group that is sent before the latest message of its subject.
    in_order = table.position >= func.coalesce(_last_position(receiver, subject), 0)
    query = (
        select(table.position, table.id, table.mention, table.urgent)
        .where(open_groups, in_order, _size_of(table.id) < group.largest)
        .order_by(table.position.desc())
        .limit(1)
        .with_for_update(of=_delivery)
    )
    return connection.execute(query).mappings().one_or_none()


def _last_position(receiver: str, subject: str) -> ScalarSelect[int]:
    line = schema.line.c
    of_line = and_(line.receiver == receiver, line.subject == subject)
    return select(func.max(line.position)).where(of_line).scalar_subquery()


def _size_of(identity: Column[str]) -> ScalarSelect[int]:
    return select(func.count()).where(schema.ledger.c.delivery_id == identity).scalar_subquery()
