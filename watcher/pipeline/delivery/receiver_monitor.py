"""Track the state of one receiver: its attempts decide whether it is failing or has recovered."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

from watcher.core.delivery.model import LeasedDelivery, Settlement
from watcher.core.delivery.receiver_change import (
    ReceiverChange,
    ReceiverSummary,
    change_after,
    failing_change,
    overdue_since,
    with_expiry,
)
from watcher.core.delivery.receiver_health import ReceiverState, is_news
from watcher.core.routing.planning import OutdatedDecisionError
from watcher.pipeline.ports import Deliveries


class ReceiverMonitor:
    """The known state of one receiver; maintenance and other processes may change the stored one.

    Args:
        receiver: its name.
        deliveries: the store.
        give_up_after: the age at which its deliveries expire.
    """

    def __init__(self, receiver: str, deliveries: Deliveries, give_up_after: timedelta) -> None:
        self._receiver = receiver
        self._deliveries = deliveries
        self._give_up_after = give_up_after
        self._state: ReceiverState | None = None
        """``None`` until it was read, and after the store had another."""
        self._settling = asyncio.Lock()
        """Two last successes at once must not each find the other delivery still waiting."""

    async def is_parked(self) -> bool:
        """Say whether the receiver fails permanently, so that only its oldest delivery is tried."""
        return (await self._known()).parked

    async def declare_failing(self, failing_after: timedelta, now: datetime) -> ReceiverChange | None:
        """Record that the receiver is failing, if it has had no success for so long while something waited.

        Raises:
            OutdatedDecisionError: the stored state has changed; the next call reads it.
        """
        known = await self._known()
        if known.failing_since is not None or known.troubled_since is None:
            return None
        summary = await self._summary()
        self._state = summary.state
        if (since := overdue_since(summary, failing_after, now)) is None:
            return None
        store = self._deliveries
        change = failing_change(summary, since, store.epoch, store.restore, now)
        try:
            await store.change_receiver(change)
        except OutdatedDecisionError:
            self._state = None
            raise
        self._state = change.after
        return change

    async def settle(self, leased: LeasedDelivery, settlement: Settlement) -> tuple[bool, ReceiverChange | None]:
        """Write an attempt's outcome with the change of the receiver.

        Returns:
            tuple[bool, ReceiverChange | None]: whether the lease still held, and the change.

        Raises:
            OutdatedDecisionError: the stored state has changed; the next call reads it.
        """
        async with self._settling:
            change = await self._decide(leased.request.delivery_id, settlement)
            try:
                saved = await self._deliveries.settle(leased, settlement, change)
            except OutdatedDecisionError:
                self._state = None
                raise
            if saved and change is not None:
                self._state = change.after
            return saved, change

    async def _decide(self, delivery_id: str, settlement: Settlement) -> ReceiverChange | None:
        if (signal := settlement.signal) is None:
            return None
        known = await self._known()
        if not is_news(known, signal):
            # The store compares the state, so that a change by another process is noticed.
            return ReceiverChange(before=known, after=known)
        summary = await self._summary(settling=delivery_id, ends=settlement.verdict.next_at is None)
        return change_after(summary, signal, self._deliveries.epoch, self._deliveries.restore, settlement.at)

    async def _summary(self, settling: str = "", *, ends: bool = False) -> ReceiverSummary:
        summary = await self._deliveries.receiver_summary(self._receiver, settling=settling, ends=ends)
        return with_expiry(summary, self._give_up_after)

    async def _known(self) -> ReceiverState:
        if self._state is None:
            self._state = await self._deliveries.receiver_state(self._receiver)
        return self._state
