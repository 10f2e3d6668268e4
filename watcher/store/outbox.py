"""Write routed events as deliveries: each event is routed once, in the transaction that makes its deliveries.

Nothing is decided here. The plan says which receivers get an event, under which number and with which body. The
transaction compares the facts that the plan depends on, and refuses an outdated plan.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    RowMapping,
    ScalarSelect,
    and_,
    case,
    func,
    insert,
    select,
    true,
    update,
)

from watcher.core.delivery.model import State
from watcher.core.event import Event, Kind, Restore, delivery_id
from watcher.core.routing.fallback import FallbackEvent
from watcher.core.routing.planning import (
    Line,
    OutboxState,
    OutdatedDecisionError,
    PlannedDelivery,
    RoutedEvent,
    RoutingPlan,
    lines_of,
)
from watcher.core.routing.reason import write_reason
from watcher.core.routing.routes import FLAP_WINDOW, Group, Recipient, merge_mentions
from watcher.core.subject import NO_ACCOUNT
from watcher.core.timestamps import to_text
from watcher.store import schema, silences
from watcher.store.delivery import receivers
from watcher.store.delivery.fallbacks import fallbacks_due
from watcher.store.rows import Row, read_event, read_mentions, write_mentions
from watcher.store.upsert import insert_or_ignore
from watcher.store.writer import StoreWriter

_delivery = schema.delivery


class Outbox:
    """The store as the routing stage uses it."""

    def __init__(self, database: StoreWriter) -> None:
        self._database = database

    @property
    def restore(self) -> Restore | None:
        """The latest restore of the store from a backup, if there was one."""
        return self._database.restore

    async def unrouted(self, limit: int, accounts: Collection[str] | None = None) -> list[tuple[Event, int]]:
        """Return the oldest events without a route, each with its subject's number of events in the past hour.

        With ``accounts``, only their events, and those outside every account.
        """
        return await self._database.write(lambda connection: _unrouted(connection, limit, accounts))

    async def state(self, receivers: Collection[str], subjects: Collection[str], now: datetime) -> OutboxState:
        """Return the facts that a plan for these receivers and subjects depends on."""
        return await self._database.write(lambda connection: _state(connection, receivers, subjects, now))

    async def enqueue(self, plan: RoutingPlan) -> None:
        """Write the deliveries and ledger entries of a plan and mark its events routed; all of it or nothing.

        Raises:
            OutdatedDecisionError: an event was routed, a silence began or ended, or a number was given meanwhile.
        """
        await self._database.write(lambda connection: enqueue(connection, plan))

    async def fallbacks_due(self, fallbacks: Mapping[str, str], limit: int) -> list[FallbackEvent]:
        """Return urgent events that wait for a failing receiver and that its fallback does not have yet.

        Args:
            fallbacks: the fallback of each receiver that has one.
            limit: the most events of one receiver.
        """
        return await self._database.write(lambda connection: fallbacks_due(connection, fallbacks, limit))

    async def enqueue_fallbacks(self, plan: RoutingPlan) -> None:
        """Write further deliveries of events that are routed already; all of them or none.

        Raises:
            OutdatedDecisionError: a silence began or ended, a number was given or a receiver got the event meanwhile.
        """
        await self._database.write(lambda connection: enqueue_fallbacks(connection, plan))

    async def release(self, group_key: str | None, now: datetime) -> None:
        """Make the open groups of this key due now, so that nothing joins them; ``None`` stands for every key."""
        which = true() if group_key is None else _delivery.c.group_key == group_key
        await self._database.write(lambda connection: _release(connection, which, now))


def _unrouted(connection: Connection, limit: int, accounts: Collection[str] | None) -> list[tuple[Event, int]]:
    table = schema.event.c
    query = select(table.body).where(table.routed_at.is_(None)).order_by(table.position).limit(limit)
    if accounts is not None:
        query = query.where(table.account.in_([NO_ACCOUNT, *accounts]))
    events = [read_event(body) for body in connection.scalars(query)]
    return [(event, recent_of(connection, event)) for event in events]


def recent_of(connection: Connection, event: Event) -> int:
    """Return the number of events of a subject within the hour up to this one, which counts too.

    For a failure, only failures count: many other changes do not make it wait in a digest.
    """
    table = schema.event.c
    since = to_text(event.recorded_at - FLAP_WINDOW)
    # The upper limit excludes events that were recorded while the wall clock ran ahead.
    in_the_hour = and_(table.recorded_at > since, table.recorded_at <= to_text(event.recorded_at))
    earlier = and_(table.subject == event.subject, in_the_hour, table.seq <= event.seq)
    if event.kind is Kind.FAILED:
        earlier = and_(earlier, table.kind == event.kind.value)
    return int(connection.execute(select(func.count()).where(earlier)).scalar_one())


def _state(connection: Connection, names: Collection[str], subjects: Collection[str], now: datetime) -> OutboxState:
    table = schema.counter.c
    counted = select(schema.counter).where(table.receiver.in_(list(names)), table.subject.in_(list(subjects)))
    return OutboxState(
        silences=tuple(silences.active(connection, now)),
        failing_receivers=frozenset(state.name for state in receivers.failing_receivers(connection)),
        sequences={(row.receiver, row.subject): row.last_seq for row in connection.execute(counted)},
    )


def enqueue(connection: Connection, plan: RoutingPlan) -> None:
    """Write a plan in the caller's transaction, see ``Outbox.enqueue``."""
    _reserve(connection, plan)
    for routed in plan.events:
        _mark_routed(connection, routed, plan.at)
        for planned in routed.deliveries:
            _insert_planned(connection, routed, planned, plan.at)


def enqueue_fallbacks(connection: Connection, plan: RoutingPlan) -> None:
    """Write the deliveries of a plan in the caller's transaction, see ``Outbox.enqueue_fallbacks``."""
    _reserve(connection, plan)
    for routed in plan.events:
        for planned in routed.deliveries:
            _insert_planned(connection, routed, planned, plan.at)


def _reserve(connection: Connection, plan: RoutingPlan) -> None:
    _compare_silences(connection, plan)
    for line, count in lines_of(plan.events).items():
        _count_on(connection, line, plan.state.sequences.get(line, 0), count)


def _compare_silences(connection: Connection, plan: RoutingPlan) -> None:
    known = [silence.id for silence in plan.state.silences]
    if [silence.id for silence in silences.active(connection, plan.at)] != known:
        raise OutdatedDecisionError("a silence began or ended")


def _count_on(connection: Connection, line: Line, known: int, more: int) -> None:
    """Reserve the next numbers of a line, if its latest number is still the known one."""
    table, (receiver, subject) = schema.counter, line
    if known == 0:
        row = {"receiver": receiver, "subject": subject, "last_seq": more}
        changed = connection.execute(insert_or_ignore(table).values(row))
    else:
        unchanged = and_(table.c.receiver == receiver, table.c.subject == subject, table.c.last_seq == known)
        changed = connection.execute(update(table).where(unchanged).values(last_seq=known + more))
    if changed.rowcount != 1:
        raise OutdatedDecisionError(f"{receiver} got another number for {subject}")


def _mark_routed(connection: Connection, routed: RoutedEvent, now: datetime) -> None:
    table = schema.event
    unrouted = and_(table.c.id == routed.event.id, table.c.routed_at.is_(None))
    values = {"routed_at": to_text(now), "route": write_reason(routed.reason)}
    if connection.execute(update(table).where(unrouted).values(values)).rowcount != 1:
        raise OutdatedDecisionError(f"{routed.event.id} is routed already")


def _insert_planned(connection: Connection, routed: RoutedEvent, planned: PlannedDelivery, now: datetime) -> None:
    event, recipient = routed.event, planned.recipient
    entry: Row = {
        "event_id": event.id,
        "receiver": recipient.receiver,
        "subject": event.subject,
        "receiver_seq": planned.receiver_seq,
    }
    if routed.silence is not None:
        # It ends here and blocks no line: the row only records the silence.
        ended, state = to_text(now), State.SILENCED.value
        columns = {"sealed": True, "state": state, "reason": routed.silence, "settled_at": ended}
        _, identity = _insert(connection, event, recipient, now, columns)
        connection.execute(
            insert(schema.ledger), {**entry, "delivery_id": identity, "ending": state, "ended_at": ended}
        )
        return
    if recipient.group is None:
        position, identity = _insert_alone(connection, event, planned, now)
    else:
        position, identity = _join_group(connection, event, recipient, recipient.group, now)
    connection.execute(insert(schema.ledger), {**entry, "delivery_id": identity})
    line = {"receiver": recipient.receiver, "subject": event.subject, "position": position}
    connection.execute(_INSERT_LINE, line)


def _insert_alone(connection: Connection, event: Event, planned: PlannedDelivery, now: datetime) -> tuple[int, str]:
    recipient = planned.recipient
    # A single message must not overtake a group that holds the same subject.
    _release(connection, _groups_with(recipient.receiver, event.subject), now)
    doubt: Row = {"state": State.UNCERTAIN.value, "may_be_repeat": True} if recipient.in_doubt else {}
    columns = {"sealed": True, "body": planned.body, "next_at": to_text(now), **doubt}
    return _insert(connection, event, recipient, now, columns)


def _join_group(
    connection: Connection, event: Event, recipient: Recipient, group: Group, now: datetime
) -> tuple[int, str]:
    open_group = _open_group(connection, recipient.receiver, group, event.subject)
    if open_group is None:
        columns = {"sealed": False, "group_key": group.key, "next_at": to_text(now + group.patience)}
        return _insert(connection, event, recipient, now, columns)
    _add_mentions(connection, open_group, recipient)
    return open_group["position"], open_group["id"]


def _add_mentions(connection: Connection, open_group: RowMapping, recipient: Recipient) -> None:
    mention = write_mentions(merge_mentions(read_mentions(open_group["mention"]), recipient.mentions))
    if mention != open_group["mention"]:
        this = _delivery.c.position == open_group["position"]
        connection.execute(update(_delivery).where(this).values(mention=mention))


def _insert(connection: Connection, event: Event, recipient: Recipient, now: datetime, columns: Row) -> tuple[int, str]:
    row = {
        "id": delivery_id((event.id,), recipient.receiver),
        "receiver": recipient.receiver,
        "urgent": event.urgent,
        "state": State.PENDING.value,
        "created_at": to_text(now),
        "mention": write_mentions(recipient.mentions),
        "fallback_for": event.fallback_for,
        # A group may go at the end of its wait; an age of our own making expires nothing.
        "allowed_at": columns.get("next_at", to_text(now)),
        **columns,
    }
    # Not RETURNING: SQLite has it from 3.35 on, and Debian 11 and RHEL 9 have 3.34.
    key = connection.execute(insert(_delivery), row).inserted_primary_key
    return int(key[0]), row["id"]  # type: ignore[index]  # one row has a key


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
        select(table.position, table.id, table.mention)
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


def _groups_with(receiver: str, subject: str) -> ColumnElement[bool]:
    line = schema.line.c
    return _delivery.c.position.in_(select(line.position).where(line.receiver == receiver, line.subject == subject))


def _release(connection: Connection, which: ColumnElement[bool], now: datetime) -> None:
    """Make open groups due now; they are sealed when they are leased."""
    table = _delivery.c
    # A group that is due already, but not yet the first of its lines, must take nothing more either.
    open_groups = and_(~table.sealed, table.group_key.is_not(None), which)
    due = case((table.next_at > to_text(now), to_text(now)), else_=table.next_at)
    connection.execute(update(_delivery).where(open_groups).values(next_at=due, allowed_at=due, group_key=None))


_INSERT_LINE = insert_or_ignore(schema.line)
