"""The deliveries of every receiver: leased by a token, settled by the same token."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from functools import partial

from sqlalchemy import ColumnElement, Connection, and_, update

from watcher.core.delivery.model import Claim, DeliveryRequest, LeasedDelivery, Settlement, State
from watcher.core.delivery.reason import write_reason
from watcher.core.delivery.receiver_change import Announcement, DeadGroup, ReceiverChange, ReceiverSummary
from watcher.core.delivery.receiver_health import ReceiverState
from watcher.core.delivery.waiting import DeliveryEnd, WaitingDelivery
from watcher.core.event import Restore
from watcher.core.timestamps import to_text
from watcher.store import schema
from watcher.store.delivery import endings, leases, receivers
from watcher.store.delivery.receivers import WAITING_STATES
from watcher.store.rows import Row
from watcher.store.writer import StoreWriter

_delivery = schema.delivery


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

    async def save_body(self, leased: LeasedDelivery, body: bytes) -> bool:
        """Store the body of a leased delivery that has none; ``False`` when the lease is lost."""
        return await self._database.write(lambda connection: _save_body(connection, leased, body))

    async def settle(
        self, leased: LeasedDelivery, settlement: Settlement, change: ReceiverChange | None = None
    ) -> bool:
        """Write the outcome of an attempt and the change of the receiver; ``False`` when the lease is lost.

        Raises:
            OutdatedDecisionError: the receiver's state is not ``change.before`` any more; nothing was written.
        """
        return await self._database.write(lambda connection: _settle(connection, leased, settlement, change))

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


def _is_leased(leased: LeasedDelivery) -> ColumnElement[bool]:
    return and_(
        _delivery.c.id == leased.request.delivery_id,
        _delivery.c.token == leased.token,
        _delivery.c.state == State.SENDING.value,
    )


def _save_body(connection: Connection, leased: LeasedDelivery, body: bytes) -> bool:
    return connection.execute(update(_delivery).where(_is_leased(leased)).values(body=body)).rowcount == 1


def _settle(
    connection: Connection, leased: LeasedDelivery, settlement: Settlement, change: ReceiverChange | None
) -> bool:
    values = _settled_columns(leased.request, settlement)
    if connection.execute(update(_delivery).where(_is_leased(leased)).values(values)).rowcount != 1:
        return False
    if settlement.verdict.next_at is None:
        endings.close(connection, leased.request.delivery_id, settlement.verdict, settlement.at)
    if change is not None:
        # After the delivery was settled: the new due times apply to it, too.
        receivers.write_change(connection, change)
    if settlement.verdict.next_at is None and settlement.verdict.state is not State.DELIVERED:
        receivers.forget_failures(connection, leased.request.delivery_id)
    return True


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
