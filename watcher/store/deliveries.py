"""The deliveries of every receiver: leased by a token, settled by the same token."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial

from sqlalchemy import Connection, and_, bindparam, select, update

from watcher.core.delivery.model import Claim, DeliveryRequest, LeasedDelivery, Settled, Settlement
from watcher.core.delivery.reason import write_reason
from watcher.core.delivery.receiver_change import Announcement, DeadGroup, ReceiverChange, ReceiverSummary
from watcher.core.delivery.receiver_state import ReceiverState
from watcher.core.delivery.state import State
from watcher.core.delivery.waiting import DeliveryEnd, WaitingDelivery
from watcher.core.event import Restore
from watcher.core.timestamps import to_text
from watcher.store import schema
from watcher.store.delivery import endings, leases, receivers
from watcher.store.delivery.queue import WAITING_STATES
from watcher.store.rows import Row
from watcher.store.sql.bulk import execute_many
from watcher.store.sql.chunks import chunks
from watcher.store.writer import StoreWriter

_delivery = schema.delivery
_HELD = (
    select(_delivery.c.id, _delivery.c.position, _delivery.c.token, _delivery.c.state)
    .where(_delivery.c.id.in_(bindparam("ids", expanding=True)))
    .with_for_update(of=_delivery)
)
_UPDATE = update(_delivery).where(_delivery.c.id == bindparam("this"))


class Deliveries:
    """The store as the delivery stage and maintenance use it; each call is one transaction."""

    def __init__(self, database: StoreWriter) -> None:
        self._database = database

    @property
    def epoch(self) -> str:
        """The store's epoch."""
        return self._database.epoch

    @property
    def restore(self) -> Restore | None:
        """The latest restore of the store from a backup, if there was one."""
        return self._database.restore

    async def reclaim(self, owned: Collection[str], now: datetime) -> int:
        """Make leased deliveries uncertain: those with an expired lease, and all of the owned receivers.

        Args:
            owned: receivers that no other process sends to.
            now: UTC.

        Returns:
            int: the number of deliveries.
        """
        return await self._database.write(lambda connection: leases.reclaim(connection, owned, now))

    async def claim(self, claim: Claim, now: datetime) -> list[LeasedDelivery]:
        """Lease due deliveries of a receiver, each the first of its lines; nothing joins a leased group any more."""
        return await self._database.write(lambda connection: leases.lease_due(connection, claim, now))

    async def save_bodies(self, bodies: Sequence[tuple[LeasedDelivery, bytes]]) -> list[bool]:
        """Store the bodies of leased deliveries that have none; ``False`` for each whose lease is lost."""
        return await self._database.write(lambda connection: _save_bodies(connection, bodies))

    async def settle(
        self, leased: LeasedDelivery, settlement: Settlement, change: ReceiverChange | None = None
    ) -> bool:
        """Write the outcome of an attempt and the change of the receiver; ``False`` when the lease is lost.

        Raises:
            OutdatedDecisionError: the receiver's state is not ``change.before`` any more; nothing was written.
        """
        (saved,) = await self.settle_all([(leased, settlement)], change)
        return saved

    async def settle_all(self, settled: Sequence[Settled], change: ReceiverChange | None = None) -> list[bool]:
        """Write the outcomes of attempts that ended together, see ``settle``; ``False`` for each lost lease."""
        return await self._database.write(lambda connection: _settle(connection, settled, change))

    async def next_due(self, receiver: str, *, oldest_only: bool = False) -> datetime | None:
        """Return the time at which the next waiting delivery is due; of a failing receiver, the oldest one."""
        return await self._database.write(
            lambda connection: leases.next_due(connection, receiver, oldest_only=oldest_only)
        )

    async def receiver_state(self, receiver: str) -> ReceiverState:
        """Return the state of a receiver, without the deliveries that wait for it."""
        return await self._database.write(lambda connection: receivers.receiver_state_of(connection, receiver))

    async def receiver_summary(self, receiver: str, settling: str = "", *, ends: bool = False) -> ReceiverSummary:
        """Return the state of a receiver and the deliveries that wait for it, see ``receivers.summary_of``."""
        return await self._database.write(partial(receivers.summary_of, name=receiver, settling=settling, ends=ends))

    async def urgent_since(self, receiver: str, settling: str) -> datetime | None:
        """Return since when an urgent delivery waits that has failed, or waits for a failed one."""
        return await self._database.write(lambda connection: receivers.urgent_since(connection, receiver, settling))

    async def change_receiver(self, change: ReceiverChange) -> None:
        """Write the change of a receiver with its event.

        Raises:
            OutdatedDecisionError: the state of the receiver has changed; nothing was written.
        """
        await self._database.write(lambda connection: receivers.write_change(connection, change))

    async def probe(self, receiver: str, now: datetime) -> None:
        """Make the oldest delivery of a failing receiver due now."""
        await self._database.write(lambda connection: receivers.probe(connection, receiver, now))

    async def wake(self, receiver: str, now: datetime) -> int:
        """Make every pending delivery of a receiver due now; return their number."""
        return await self._database.write(lambda connection: receivers.wake(connection, receiver, now))

    async def expirable(
        self, receiver: str, before: datetime, *, uncertain: bool, untried: bool
    ) -> list[WaitingDelivery]:
        """Return some deliveries of a receiver that were allowed to go before this time.

        Args:
            receiver: its name.
            before: UTC.
            uncertain: whether uncertain ones are among them.
            untried: whether those that were never attempted are among them.
        """
        return await self._database.write(
            lambda connection: endings.expirable(connection, receiver, before, uncertain=uncertain, untried=untried)
        )

    async def orphaned(self, configured: Collection[str], before: datetime) -> list[WaitingDelivery]:
        """Return some open deliveries to other receivers than these, made before this time."""
        return await self._database.write(lambda connection: endings.orphaned(connection, configured, before))

    async def end(self, endings_: Sequence[DeliveryEnd], now: datetime) -> list[str]:
        """End deliveries that are still in the state that was read; return their ids."""
        return await self._database.write(lambda connection: endings.end_all(connection, endings_, now))

    async def dead_groups(self, receiver: str | None) -> list[DeadGroup]:
        """Return the dead deliveries that are not announced, by receiver; ``None`` stands for every receiver."""
        return await self._database.write(lambda connection: receivers.dead_groups(connection, receiver))

    async def announce(self, announcements: Sequence[Announcement]) -> None:
        """Record the events about dead deliveries.

        Raises:
            OutdatedDecisionError: a receiver or a delivery has changed; nothing was written.
        """
        await self._database.write(lambda connection: receivers.announce(connection, announcements))

    async def removed_receivers(self, configured: Collection[str]) -> list[ReceiverSummary]:
        """Return the receivers that are not configured although deliveries wait for them."""
        return await self._database.write(lambda connection: receivers.removed_receivers(connection, configured))

    async def change_receivers(self, changes: Sequence[ReceiverChange], configured: Collection[str]) -> None:
        """Write the changes; a removed receiver without waiting deliveries does not count as failing any more.

        Raises:
            OutdatedDecisionError: the state of a receiver has changed; nothing was written.
        """

        def work(connection: Connection) -> None:
            receivers.clear_removed(connection, configured)
            for change in changes:
                receivers.write_change(connection, change)

        await self._database.write(work)

    async def cap_waits(self, now: datetime, longest: timedelta) -> int:
        """Shorten waits and leases that are longer than this, since the wall clock has stepped back.

        Returns:
            int: the number of shortened waits.
        """
        return await self._database.write(lambda connection: _cap_waits(connection, now, longest))


def _cap_waits(connection: Connection, now: datetime, longest: timedelta) -> int:
    latest = to_text(now + longest)
    waiting = and_(_delivery.c.state.in_(WAITING_STATES), _delivery.c.next_at > latest)
    leased = and_(_delivery.c.state == State.SENDING.value, _delivery.c.lease_until > latest)
    connection.execute(update(_delivery).where(leased).values(lease_until=latest))
    return connection.execute(update(_delivery).where(waiting).values(next_at=latest)).rowcount


def _held(connection: Connection, leased: Iterable[LeasedDelivery]) -> Mapping[str, int]:
    """Return the ids and positions of the deliveries that still have this lease."""
    tokens = {item.request.delivery_id: item.token for item in leased}
    found: dict[str, int] = {}
    for ids in chunks(tokens):
        rows = [row for row in connection.execute(_HELD, {"ids": ids}) if row.state == State.SENDING.value]
        found.update((row.id, row.position) for row in rows if row.token == tokens[row.id])
    return found


def _save_bodies(connection: Connection, bodies: Sequence[tuple[LeasedDelivery, bytes]]) -> list[bool]:
    held = _held(connection, (leased for leased, _ in bodies))
    rows = [{"this": leased.request.delivery_id, "body": body} for leased, body in bodies]
    if kept := [row for row in rows if row["this"] in held]:
        execute_many(connection, _UPDATE, kept)
    return [row["this"] in held for row in rows]


def _settle(connection: Connection, settled: Sequence[Settled], change: ReceiverChange | None) -> list[bool]:
    held = _held(connection, (leased for leased, _ in settled))
    if kept := [(leased, settlement) for leased, settlement in settled if leased.request.delivery_id in held]:
        _write_settled(connection, kept, held, change)
    return [leased.request.delivery_id in held for leased, _ in settled]


def _write_settled(
    connection: Connection, kept: Sequence[Settled], positions: Mapping[str, int], change: ReceiverChange | None
) -> None:
    requests = [(leased.request, done) for leased, done in kept]
    rows = [{"this": request.delivery_id, **_settled_columns(request, done)} for request, done in requests]
    execute_many(connection, _UPDATE, rows)
    ended = [
        endings.Ended(
            id=request.delivery_id,
            position=positions[request.delivery_id],
            ending=endings.ending_of(done.verdict.state, len(request.events)),
        )
        for request, done in requests
        if done.verdict.next_at is None
    ]
    endings.close(connection, ended, max(done.at for _, done in kept))
    if change is not None:
        # After the deliveries were settled: the new due times apply to them, too.
        receivers.write_change(connection, change)
    for request, done in requests:
        if done.verdict.next_at is None and done.verdict.state is not State.DELIVERED:
            receivers.forget_failures(connection, request.delivery_id)


def _settled_columns(request: DeliveryRequest, settlement: Settlement) -> Row:
    verdict = settlement.verdict
    return {
        "state": verdict.state.value,
        "reason": write_reason(verdict.reason),
        "next_at": endings.next_at_after(verdict, settlement.at),
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
