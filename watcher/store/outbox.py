"""Write routed events as deliveries: each event is routed once, in the transaction that makes its deliveries.

Nothing is decided here. The plan says which receivers get an event, under which number and with which body. The
transaction compares the facts that the plan depends on, and refuses an outdated plan.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final, cast

from sqlalchemy import Connection, bindparam, insert, select, update

from watcher.core.event import Event, Kind, Restore
from watcher.core.routing.fallback import FallbackEvent
from watcher.core.routing.planning import Line, OutboxState, OutdatedDecisionError, RoutingPlan, lines_of
from watcher.core.routing.reason import write_reason
from watcher.core.routing.routes import FLAP_WINDOW
from watcher.core.subject import NO_ACCOUNT
from watcher.core.timestamps import to_text
from watcher.store import schema, silences
from watcher.store.delivery.fallbacks import fallbacks_due
from watcher.store.delivery.insertion import insert_planned, release
from watcher.store.delivery.reading import failing_receivers
from watcher.store.rows import read_event
from watcher.store.sql.bulk import execute_many
from watcher.store.sql.chunks import chunks
from watcher.store.writer import StoreWriter

_event, _counter = schema.event.c, schema.counter.c
Recorded = tuple[int, str, str]
"""Number, kind and time of an event."""
EARLIEST: Final = datetime(1970, 1, 1, tzinfo=UTC) + FLAP_WINDOW
"""Stands for the time of no event."""


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
        await self._database.write(lambda connection: release(connection, group_key, now))


_UNROUTED: Final = (
    select(_event.body).where(_event.routed_at.is_(None)).order_by(_event.position).limit(bindparam("limit"))
)
_RECENT: Final = select(_event.subject, _event.seq, _event.kind, _event.recorded_at).where(
    _event.subject.in_(bindparam("subjects", expanding=True)), _event.recorded_at > bindparam("since")
)
_COUNTED: Final = select(schema.counter).where(
    _counter.receiver.in_(bindparam("receivers", expanding=True)),
    _counter.subject.in_(bindparam("subjects", expanding=True)),
)
_LATEST: Final = (
    select(_counter.subject, _counter.last_seq)
    .where(_counter.receiver == bindparam("receiver"), _counter.subject.in_(bindparam("subjects", expanding=True)))
    .with_for_update(of=schema.counter)
)
_FIRST_NUMBERS: Final = insert(schema.counter)
_NEXT_NUMBERS: Final = update(schema.counter).where(
    _counter.receiver == bindparam("to"), _counter.subject == bindparam("about")
)
_MARK_ROUTED: Final = update(schema.event).where(
    _event.id.in_(bindparam("ids", expanding=True)), _event.routed_at.is_(None)
)


def _unrouted(connection: Connection, limit: int, accounts: Collection[str] | None) -> list[tuple[Event, int]]:
    query = _UNROUTED
    if accounts is not None:
        query = query.where(_event.account.in_([NO_ACCOUNT, *accounts]))
    events = [read_event(body) for body in connection.scalars(query, {"limit": limit})]
    return list(zip(events, recent_of(connection, events), strict=True))


def recent_of(connection: Connection, events: Sequence[Event]) -> list[int]:
    """Return for each event the number of its subject's events within the hour up to it, which counts too.

    For a failure, only failures count: many other changes do not make it wait in a digest.
    """
    earlier: dict[str, list[Recorded]] = {event.subject: [] for event in events}
    since = to_text(min((event.recorded_at for event in events), default=EARLIEST) - FLAP_WINDOW)
    for subjects in chunks(earlier):
        for subject, *recorded in connection.execute(_RECENT, {"subjects": subjects, "since": since}):
            earlier[subject].append(cast("Recorded", recorded))
    return [_recent(event, earlier[event.subject]) for event in events]


def _recent(event: Event, rows: Sequence[Recorded]) -> int:
    if len(rows) == 1 and rows[0][0] == event.seq:
        # The event alone, as nearly always.
        return 1
    # The upper limit excludes events that were recorded while the wall clock ran ahead.
    since, until = to_text(event.recorded_at - FLAP_WINDOW), to_text(event.recorded_at)
    in_the_hour = [kind for seq, kind, at in rows if since < at <= until and seq <= event.seq]
    return in_the_hour.count(event.kind.value) if event.kind is Kind.FAILED else len(in_the_hour)


def _state(connection: Connection, names: Collection[str], subjects: Collection[str], now: datetime) -> OutboxState:
    sequences: dict[Line, int] = {}
    for part in chunks(subjects):
        counted = connection.execute(_COUNTED, {"receivers": list(names), "subjects": part})
        sequences |= {(row.receiver, row.subject): row.last_seq for row in counted}
    return OutboxState(
        silences=tuple(silences.active(connection, now)),
        failing_receivers=frozenset(state.name for state in failing_receivers(connection)),
        sequences=sequences,
    )


def enqueue(connection: Connection, plan: RoutingPlan) -> None:
    """Write a plan in the caller's transaction, see ``Outbox.enqueue``."""
    _reserve(connection, plan)
    _mark_routed(connection, plan)
    insert_planned(connection, plan.events, plan.at)


def enqueue_fallbacks(connection: Connection, plan: RoutingPlan) -> None:
    """Write the deliveries of a plan in the caller's transaction, see ``Outbox.enqueue_fallbacks``."""
    _reserve(connection, plan)
    insert_planned(connection, plan.events, plan.at)


def _reserve(connection: Connection, plan: RoutingPlan) -> None:
    _compare_silences(connection, plan)
    more: dict[str, dict[str, int]] = {}
    for (receiver, subject), count in lines_of(plan.events).items():
        more.setdefault(receiver, {})[subject] = count
    for receiver, counts in more.items():
        for part in chunks(counts.items()):
            _count_on(connection, receiver, dict(part), plan.state)


def _compare_silences(connection: Connection, plan: RoutingPlan) -> None:
    known = [silence.id for silence in plan.state.silences]
    if [silence.id for silence in silences.active(connection, plan.at)] != known:
        raise OutdatedDecisionError("a silence began or ended")


def _count_on(connection: Connection, receiver: str, more: Mapping[str, int], state: OutboxState) -> None:
    """Reserve the next numbers of some lines, if their latest numbers are still the known ones."""
    found = connection.execute(_LATEST, {"receiver": receiver, "subjects": list(more)})
    latest = {row.subject: row.last_seq for row in found}
    for subject in more:
        if latest.get(subject, 0) != state.sequences.get((receiver, subject), 0):
            raise OutdatedDecisionError(f"{receiver} got another number for {subject}")
    counted = [
        {"to": receiver, "about": subject, "last_seq": latest[subject] + count}
        for subject, count in more.items()
        if subject in latest
    ]
    begun = [
        {"receiver": receiver, "subject": subject, "last_seq": count}
        for subject, count in more.items()
        if subject not in latest
    ]
    if counted:
        execute_many(connection, _NEXT_NUMBERS, counted)
    if begun:
        execute_many(connection, _FIRST_NUMBERS, begun)


def _mark_routed(connection: Connection, plan: RoutingPlan) -> None:
    by_route: dict[str, list[str]] = {}
    for routed in plan.events:
        by_route.setdefault(write_reason(routed.reason), []).append(routed.event.id)
    for route, ids in by_route.items():
        for part in chunks(ids):
            values = {"ids": part, "routed_at": to_text(plan.at), "route": route}
            if connection.execute(_MARK_ROUTED, values).rowcount != len(part):
                raise OutdatedDecisionError(f"one of {len(part)} events is routed already")
