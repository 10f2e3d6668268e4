"""From events to deliveries: each event is routed once, in the transaction that makes its deliveries."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    RowMapping,
    ScalarSelect,
    and_,
    bindparam,
    case,
    func,
    insert,
    select,
    true,
    update,
)
from sqlalchemy.dialects.sqlite import insert as upsert

from watcher.core.batch import Seal
from watcher.core.delivery.model import State
from watcher.core.event import Event, delivery_id
from watcher.core.routing.routes import FLAP_WINDOW, Group, Recipient, RoutingDecision, merge_mentions
from watcher.core.routing.silence import covering
from watcher.core.timestamps import to_text
from watcher.store import receivers, schema, silences
from watcher.store.rows import Row, read_event, read_mentions, write_mentions
from watcher.store.sqlite.database import Database


class Outbox:
    """The store as the routing stage sees it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def unrouted(self, limit: int) -> list[tuple[Event, int]]:
        """Return the oldest events that no route has seen yet, each with how many its subject had in the hour to it."""
        return await self._database.write(lambda connection: _unrouted(connection, limit))

    async def enqueue(
        self, plans: Sequence[tuple[Event, RoutingDecision]], seal: Seal, now: datetime
    ) -> dict[str, str]:
        """Make the deliveries and ledger entries of these events and mark them routed; all of it or nothing.

        Returns:
            dict[str, str]: the events that are silenced, with the ids of the silences that take them.
        """
        return await self._database.write(lambda connection: enqueue(connection, plans, seal, now))

    async def release(self, group_key: str | None, now: datetime) -> None:
        """Let the open groups of this key (without one: all of them) go now; nothing joins them any more."""
        which = true() if group_key is None else schema.delivery.c.group_key == group_key
        await self._database.write(lambda connection: _release(connection, which, now))

    async def failing_receivers(self) -> frozenset[str]:
        """Return the names of the receivers that refuse for good."""
        return await self._database.write(
            lambda connection: frozenset(
                receiver_state.name for receiver_state in receivers.failing_receivers(connection)
            )
        )


def _unrouted(connection: Connection, limit: int) -> list[tuple[Event, int]]:
    table = schema.event.c
    query = select(table.body).where(table.routed_at.is_(None)).order_by(table.position).limit(limit)
    events = [read_event(body) for body in connection.scalars(query)]
    return [(event, recent_of(connection, event)) for event in events]


def recent_of(connection: Connection, event: Event) -> int:
    """Return how many events a subject had within the hour to this one, this one among them."""
    table = schema.event.c
    since = to_text(event.recorded_at - FLAP_WINDOW)
    # Up to now too: what was recorded while the wall clock ran ahead would count for as long as it did.
    lately = and_(table.recorded_at > since, table.recorded_at <= to_text(event.recorded_at))
    mine = and_(table.subject == event.subject, lately, table.seq <= event.seq)
    return int(connection.execute(select(func.count()).where(mine)).scalar_one())


def enqueue(
    connection: Connection, plans: Sequence[tuple[Event, RoutingDecision]], seal: Seal, now: datetime
) -> dict[str, str]:
    """Hand recorded events over in the caller's transaction, see ``Outbox.enqueue``."""
    desk = _Desk(connection, seal, now)
    quiet = silences.active(connection, now)
    silenced = {event.id: silence.id for event, _ in plans if (silence := covering(event, quiet, now)) is not None}
    for event, decision in plans:
        for recipient in decision.to:
            desk.hand_over(event, recipient, silenced.get(event.id))
    routed = [{"event_id": event.id, "at": to_text(now), "why": decision.reason} for event, decision in plans]
    connection.execute(_MARK_ROUTED, routed)
    return silenced


class _Desk:
    """Hands events over to receivers, within one transaction."""

    def __init__(self, connection: Connection, seal: Seal, now: datetime) -> None:
        self._connection = connection
        self._seal = seal
        self._now = now

    def hand_over(self, event: Event, to: Recipient, silence: str | None) -> None:
        receiver = to.receiver
        number = _next_number(self._connection, receiver, event.subject)
        if silence is not None:
            self._keep_back(event, to, silence, number)
            return
        if to.group is None:
            position, identity = self._send_alone(event, to, number)
        else:
            position, identity = self._send_with(event, to, to.group)
        self._connection.execute(insert(schema.ledger), _entry(event, receiver, identity, number))
        line = {"receiver": receiver, "subject": event.subject, "position": position}
        self._connection.execute(_INSERT_LINE, line)

    def _keep_back(self, event: Event, to: Recipient, silence: str, number: int) -> None:
        """Record that it is not told: it ends here, and stands in nobody's line."""
        at, state = to_text(self._now), State.SILENCED.value
        _, identity = self._insert(event, to, {"sealed": True, "state": state, "reason": silence, "settled_at": at})
        entry = _entry(event, to.receiver, identity, number)
        self._connection.execute(insert(schema.ledger), {**entry, "ending": state, "ended_at": at})

    def _send_alone(self, event: Event, to: Recipient, number: int) -> tuple[int, str]:
        # What goes by itself must not overtake a group that holds the same training.
        _release(self._connection, _groups_with(to.receiver, event.subject), self._now)
        body = self._seal(to.receiver, event, number)
        doubt: Row = {"state": State.UNCERTAIN.value, "may_be_repeat": True} if to.in_doubt else {}
        return self._insert(event, to, {"sealed": True, "body": body, "next_at": to_text(self._now), **doubt})

    def _send_with(self, event: Event, to: Recipient, group: Group) -> tuple[int, str]:
        waiting = _open_group(self._connection, to.receiver, group, event.subject)
        if waiting is None:
            unsealed = {"sealed": False, "group_key": group.key, "next_at": to_text(self._now + group.patience)}
            return self._insert(event, to, unsealed)
        self._mention_too(waiting, to)
        return waiting["position"], waiting["id"]

    def _mention_too(self, waiting: RowMapping, to: Recipient) -> None:
        mention = write_mentions(merge_mentions(read_mentions(waiting["mention"]), to.mentions))
        if mention != waiting["mention"]:
            mine = schema.delivery.c.position == waiting["position"]
            self._connection.execute(update(schema.delivery).where(mine).values(mention=mention))

    def _insert(self, event: Event, to: Recipient, columns: Row) -> tuple[int, str]:
        row = {
            "id": delivery_id((event.id,), to.receiver),
            "receiver": to.receiver,
            "urgent": event.urgent,
            "state": State.PENDING.value,
            "created_at": to_text(self._now),
            "mention": write_mentions(to.mentions),
            **columns,
        }
        query = insert(schema.delivery).returning(schema.delivery.c.position)
        return int(self._connection.execute(query, row).scalar_one()), row["id"]


def _open_group(connection: Connection, receiver: str, group: Group, subject: str) -> RowMapping | None:
    """Return the group that still takes an event of this subject, if there is one."""
    table = schema.delivery.c
    ours = and_(table.receiver == receiver, table.group_key == group.key, ~table.sealed)
    # What is told of a training after its other messages must not join one that goes before them.
    in_order = table.position >= func.coalesce(_last_position(receiver, subject), 0)
    query = select(table.position, table.id, table.mention).where(ours, in_order, _size_of(table.id) < group.largest)
    return connection.execute(query.order_by(table.position.desc()).limit(1)).mappings().one_or_none()


def _last_position(receiver: str, subject: str) -> ScalarSelect[int]:
    line = schema.line.c
    mine = and_(line.receiver == receiver, line.subject == subject)
    return select(func.max(line.position)).where(mine).scalar_subquery()


def _size_of(identity: Column[str]) -> ScalarSelect[int]:
    return select(func.count()).where(schema.ledger.c.delivery_id == identity).scalar_subquery()


def _groups_with(receiver: str, subject: str) -> ColumnElement[bool]:
    mine = select(schema.line.c.position).where(schema.line.c.receiver == receiver, schema.line.c.subject == subject)
    return schema.delivery.c.position.in_(mine)


def _release(connection: Connection, which: ColumnElement[bool], now: datetime) -> None:
    """Make open groups due now; they are sealed when they are claimed."""
    table = schema.delivery
    # One that is due already, and not yet at the head of its lines, must take nothing more either.
    open_groups = and_(~table.c.sealed, table.c.group_key.is_not(None), which)
    due = case((table.c.next_at > to_text(now), to_text(now)), else_=table.c.next_at)
    connection.execute(update(table).where(open_groups).values(next_at=due, group_key=None))


def _next_number(connection: Connection, receiver: str, subject: str) -> int:
    counted = upsert(schema.counter).values(receiver=receiver, subject=subject, last_seq=1)
    counted = counted.on_conflict_do_update(
        index_elements=[schema.counter.c.receiver, schema.counter.c.subject],
        set_={"last_seq": schema.counter.c.last_seq + 1},
    )
    return int(connection.execute(counted.returning(schema.counter.c.last_seq)).scalar_one())


def _entry(event: Event, receiver: str, identity: str, number: int) -> Row:
    return {
        "event_id": event.id,
        "receiver": receiver,
        "delivery_id": identity,
        "subject": event.subject,
        "receiver_seq": number,
    }


_INSERT_LINE = upsert(schema.line).on_conflict_do_nothing()

_MARK_ROUTED = (
    update(schema.event)
    .where(schema.event.c.id == bindparam("event_id"))
    .values(routed_at=bindparam("at"), route=bindparam("why"))
)
