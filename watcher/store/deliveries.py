"""Claiming what is due for a receiver, and settling it by the token it was claimed with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, RowMapping, and_, delete, exists, func, select, update

from watcher.core.delivery.facts import RECEIVER_REMOVED
from watcher.core.delivery.model import OPEN_STATES, Claim, DeliveryRequest, LeasedDelivery, Settlement, State, Verdict
from watcher.core.event import URGENT_KINDS, Event
from watcher.core.timestamps import from_text, to_text
from watcher.store import receivers, schema
from watcher.store.rows import Row, read_event, read_mentions, read_time, write_time
from watcher.store.sqlite.database import Database

SealGroup = Callable[[Sequence[tuple[Event, int]], Sequence[Event]], bytes | None]
"""Events with their ``receiver_seq``, and those told by themselves, to the bytes kept with the delivery."""

_delivery = schema.delivery
_mine = schema.line.alias("mine")
_earlier = schema.line.alias("earlier")
_WAITING = (State.PENDING.value, State.UNCERTAIN.value)
IN_DOUBT_MAX = 500
"""Deliveries that are looked up at once."""
BURIED_MAX = 200
"""Deliveries that are given up in one transaction, so that those of one receiver hold up no other's."""


class Deliveries:
    """The store as the delivering stage sees it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def reclaim(self, now: datetime) -> int:
        """Take back what a process that died was sending; how its attempts ended is not known."""
        return await self._database.write(lambda connection: _reclaim(connection, None, now))

    async def claim(self, claim: Claim, seal_group: SealGroup, now: datetime) -> list[LeasedDelivery]:
        """Lease the heads of the receiver's due lines: urgent ones first, then the oldest; seal what is open."""

        def work(connection: Connection) -> list[LeasedDelivery]:
            _reclaim(connection, claim.receiver, now)
            in_doubt = _claim_in_doubt(connection, claim, seal_group, now) if claim.by_lookup else []
            return in_doubt or _claim(connection, claim, seal_group, now)

        return await self._database.write(work)

    async def settle(self, leased: LeasedDelivery, settlement: Settlement) -> bool:
        """Write what became of an attempt; ``False`` when the lease was lost and another has settled it."""
        epoch = self._database.epoch
        return await self._database.write(lambda connection: _settle(connection, leased, settlement, epoch))

    async def next_due(self, receiver: str, *, oldest_only: bool = False) -> datetime | None:
        """Return when the next waiting delivery of a receiver is due; of a parked one when the oldest is."""
        return await self._database.write(lambda connection: _next_due(connection, receiver, oldest_only=oldest_only))

    async def is_parked(self, receiver: str) -> bool:
        """Say whether a receiver refuses for good."""
        return await self._database.write(
            lambda connection: receivers.receiver_state_of(connection, receiver).failing_since is not None
        )

    async def probe(self, receiver: str, now: datetime) -> None:
        """Let a parked receiver be tried now, with the oldest row."""
        await self._database.write(lambda connection: receivers.probe(connection, receiver, now))

    async def expire(self, receiver: str, before: datetime, now: datetime) -> list[str]:
        """Give up some of what waits for a receiver and was made before this time; return the ids, none at the end."""
        return await self._database.write(lambda connection: _expire(connection, receiver, before, now))

    async def announce(self, receiver: str | None, now: datetime) -> list[Event]:
        """Record an event on what died and was not told yet, of one receiver or of all."""
        epoch = self._database.epoch
        return await self._database.write(lambda connection: receivers.announce(connection, receiver, epoch, now))

    async def wake(self, receiver: str, now: datetime) -> int:
        """Make everything that waits for a receiver due now, since it was just seen to work again."""
        return await self._database.write(lambda connection: _wake(connection, receiver, now))

    async def cap_waits(self, now: datetime, longest: timedelta) -> int:
        """Bring what waits longer than any wait of ours may be to its end: the wall clock has stepped back."""
        return await self._database.write(lambda connection: _cap_waits(connection, now, longest))

    async def note_removed(self, configured: frozenset[str], now: datetime) -> list[str]:
        """Record that something waits for receivers that are not configured any more; return those it is news of."""
        epoch = self._database.epoch
        return await self._database.write(lambda connection: receivers.note_removed(connection, configured, epoch, now))

    async def expire_orphans(self, receivers: frozenset[str], before: datetime, now: datetime) -> list[str]:
        """End some of what is older than ``before`` and goes to none of these receivers; return them, none at last."""
        return await self._database.write(lambda connection: _expire_orphans(connection, receivers, before, now))


def _cap_waits(connection: Connection, now: datetime, longest: timedelta) -> int:
    latest = to_text(now + longest)
    waiting = and_(_delivery.c.state.in_(_WAITING), _delivery.c.next_at > latest)
    leased = and_(_delivery.c.state == State.SENDING.value, _delivery.c.lease_until > latest)
    connection.execute(update(_delivery).where(leased).values(lease_until=latest))
    return connection.execute(update(_delivery).where(waiting).values(next_at=latest)).rowcount


def _expire_orphans(connection: Connection, configured: frozenset[str], before: datetime, now: datetime) -> list[str]:
    still_open = _delivery.c.state.in_(sorted(state.value for state in OPEN_STATES))
    orphaned = and_(still_open, _delivery.c.receiver.not_in(configured), _delivery.c.created_at < to_text(before))
    ids = list(connection.scalars(select(_delivery.c.id).where(orphaned).limit(BURIED_MAX)))
    for identity in ids:
        mark_dead(connection, identity, Verdict(state=State.DEAD, reason=RECEIVER_REMOVED), now)
    return ids


def _expire(connection: Connection, receiver: str, before: datetime, now: datetime) -> list[str]:
    old = receivers.too_old(connection, receiver, before, BURIED_MAX)
    for identity, reason in old:
        mark_dead(connection, identity, Verdict(state=State.DEAD, reason=reason), now)
    return [identity for identity, _ in old]


def mark_dead(connection: Connection, identity: str, verdict: Verdict, now: datetime) -> None:
    """End a delivery that nobody is sending, with its ledger entries and its lines."""
    ended = {
        "state": verdict.state.value,
        "reason": verdict.reason,
        "next_at": _when_next(verdict, now),
        "group_key": None,
        "settled_at": to_text(now),
    }
    connection.execute(update(_delivery).where(_delivery.c.id == identity).values(ended))
    _end(connection, identity, Settlement(verdict=verdict, at=now))


def _when_next(verdict: Verdict, now: datetime) -> str | None:
    """Return when something is to be done with a row; a dead one waits until its death is told."""
    return to_text(now) if verdict.state is State.DEAD else write_time(verdict.next_at)


def _reclaim(connection: Connection, receiver: str | None, now: datetime) -> int:
    """Open leases that ended (or all, without a receiver) become uncertain, which they truly are."""
    lost = _delivery.c.state == State.SENDING.value
    if receiver is not None:
        lost = and_(lost, _delivery.c.receiver == receiver, _delivery.c.lease_until <= to_text(now))
    values = {"state": State.UNCERTAIN.value, "token": None, "may_be_repeat": True, "next_at": to_text(now)}
    return connection.execute(update(_delivery).where(lost).values(values)).rowcount


def _is_head() -> ColumnElement[bool]:
    """Say that no line of this delivery has an earlier one that may still be delivered."""
    earlier = and_(
        _mine.c.position == _delivery.c.position,
        _earlier.c.receiver == _mine.c.receiver,
        _earlier.c.subject == _mine.c.subject,
        _earlier.c.position < _mine.c.position,
    )
    return ~exists().where(earlier).correlate(_delivery)


def _claim(connection: Connection, claim: Claim, seal_group: SealGroup, now: datetime) -> list[LeasedDelivery]:
    states = (State.PENDING.value,) if claim.by_lookup else _WAITING
    waiting = and_(_delivery.c.receiver == claim.receiver, _delivery.c.state.in_(states))
    due = and_(waiting, _delivery.c.next_at <= to_text(claim.due_by or now), _is_head())
    if claim.oldest_only:
        due = and_(due, _delivery.c.position == receivers.oldest_waiting(claim.receiver).scalar_subquery())
    query = select(_delivery).where(due).order_by(_delivery.c.urgent.desc(), _delivery.c.position).limit(claim.limit)
    rows = connection.execute(query).mappings().all()
    if rows:
        attempt = {"attempted_at": to_text(now), "attempts": _delivery.c.attempts + 1}
        _lease(connection, rows, claim, now, attempt)
    return [_leased(connection, row, claim.token, seal_group, began_at=now) for row in rows]


def _claim_in_doubt(connection: Connection, claim: Claim, seal_group: SealGroup, now: datetime) -> list[LeasedDelivery]:
    """Lease everything of the receiver whose outcome is not known, as soon as one of it is due to be looked up."""
    in_doubt = and_(_delivery.c.receiver == claim.receiver, _delivery.c.state == State.UNCERTAIN.value)
    is_due = _delivery.c.next_at <= to_text(claim.due_by or now)
    if not connection.scalar(select(exists().where(in_doubt, is_due))):
        return []
    query = select(_delivery).where(in_doubt).order_by(_delivery.c.next_at).limit(IN_DOUBT_MAX)
    rows = connection.execute(query).mappings().all()
    _lease(connection, rows, claim, now, {})
    return [_leased(connection, row, claim.token, seal_group) for row in rows]


def _lease(connection: Connection, rows: Sequence[RowMapping], claim: Claim, now: datetime, more: Row) -> None:
    lease = {"state": State.SENDING.value, "token": claim.token, "lease_until": to_text(now + claim.lease), **more}
    positions = [row["position"] for row in rows]
    connection.execute(update(_delivery).where(_delivery.c.position.in_(positions)).values(lease))


def _leased(
    connection: Connection, row: RowMapping, token: str, seal_group: SealGroup, began_at: datetime | None = None
) -> LeasedDelivery:
    """Read a claimed row; ``began_at`` is the start of a new attempt, without it the last one is looked up."""
    entries = _entries(connection, row["id"])
    also = _sent_alone(connection, row["receiver"], entries)
    request = DeliveryRequest(
        delivery_id=row["id"],
        events=tuple(event for event, _ in entries),
        also=also,
        body=row["body"] or _seal(connection, row, seal_group(entries, also)),
        attempt=row["attempts"] + (began_at is not None),
        may_be_repeat=row["may_be_repeat"],
        degrade=row["degrade"],
        mentions=read_mentions(row["mention"]),
        attempted_at=began_at or read_time(row["attempted_at"]),
        lookups=row["lookups"],
    )
    return LeasedDelivery(
        request=request,
        token=token,
        created_at=from_text(row["created_at"]),
        due_at=from_text(row["next_at"]),
        in_doubt=row["state"] == State.UNCERTAIN.value,
    )


def _entries(connection: Connection, identity: str) -> list[tuple[Event, int]]:
    query = (
        select(schema.event.c.body, schema.ledger.c.receiver_seq)
        .join(schema.ledger, schema.ledger.c.event_id == schema.event.c.id)
        .where(schema.ledger.c.delivery_id == identity)
        .order_by(schema.event.c.position)
    )
    return [(read_event(row.body), row.receiver_seq) for row in connection.execute(query)]


def _sent_alone(connection: Connection, receiver: str, entries: Sequence[tuple[Event, int]]) -> tuple[Event, ...]:
    """Return the events of a group's occasion that went to the receiver by themselves."""
    if len(entries) == 1 or (catch_up_id := entries[0][0].group) is None:
        return ()
    inside = [event.id for event, _ in entries]
    query = (
        select(schema.event.c.body)
        .join(schema.ledger, schema.ledger.c.event_id == schema.event.c.id)
        .where(schema.event.c.group_key == catch_up_id, schema.ledger.c.receiver == receiver)
        .where(schema.event.c.id.not_in(inside), schema.event.c.kind.in_(URGENT_KINDS))
        .where(schema.ledger.c.ending.is_distinct_from(State.SILENCED.value))
        .order_by(schema.event.c.position)
    )
    return tuple(read_event(body) for body in connection.scalars(query))


def _seal(connection: Connection, row: RowMapping, body: bytes | None) -> bytes | None:
    """Keep a body that is made only now: a group's, or one for a receiver that was of a kind without."""
    if body is not None or not row["sealed"]:
        sealed = {"sealed": True, "body": body}
        connection.execute(update(_delivery).where(_delivery.c.position == row["position"]).values(sealed))
    return body


def _settle(connection: Connection, leased: LeasedDelivery, settlement: Settlement, epoch: str) -> bool:
    ours = and_(
        _delivery.c.id == leased.request.delivery_id,
        _delivery.c.token == leased.token,
        _delivery.c.state == State.SENDING.value,
    )
    name = connection.scalar(select(_delivery.c.receiver).where(ours))
    if name is None:
        return False
    connection.execute(update(_delivery).where(ours).values(_settled_columns(leased.request, settlement)))
    if settlement.verdict.next_at is None:
        _end(connection, leased.request.delivery_id, settlement)
    if settlement.signal is not None:
        receivers.record_signal(connection, name, settlement.signal, epoch, settlement.at)
    return True


def _settled_columns(request: DeliveryRequest, settlement: Settlement) -> Row:
    verdict = settlement.verdict
    return {
        "state": verdict.state.value,
        "reason": verdict.reason,
        "next_at": _when_next(verdict, settlement.at),
        "degrade": request.degrade + verdict.degrade,
        "may_be_repeat": (request.may_be_repeat or verdict.may_be_repeat) and not verdict.certain,
        "attempts": request.attempt - verdict.uncounted,
        "lookups": verdict.lookups,
        "answer": settlement.answer,
        "receipt": settlement.receipt,
        "token": None,
        "lease_until": None,
        "settled_at": to_text(settlement.at) if verdict.next_at is None else None,
    }


def _end(connection: Connection, identity: str, settlement: Settlement) -> None:
    """Close the ledger entries of a delivery and release its lines."""
    entries = update(schema.ledger).where(schema.ledger.c.delivery_id == identity)
    ending = {"ending": settlement.verdict.state.value, "ended_at": to_text(settlement.at)}
    connection.execute(entries.values(ending))
    position = select(_delivery.c.position).where(_delivery.c.id == identity).scalar_subquery()
    connection.execute(delete(schema.line).where(schema.line.c.position == position))


def _next_due(connection: Connection, receiver: str, *, oldest_only: bool) -> datetime | None:
    waiting = and_(_delivery.c.receiver == receiver, _delivery.c.state.in_(_WAITING))
    if oldest_only:
        waiting = and_(waiting, _delivery.c.position == receivers.oldest_waiting(receiver).scalar_subquery())
    return read_time(connection.scalar(select(func.min(_delivery.c.next_at)).where(waiting, _is_head())))


def _wake(connection: Connection, receiver: str, now: datetime) -> int:
    # What is in doubt waits for a reason of its own: a message that may still come.
    pending = and_(_delivery.c.receiver == receiver, _delivery.c.state == State.PENDING.value)
    return receivers.make_due(connection, pending, now)
