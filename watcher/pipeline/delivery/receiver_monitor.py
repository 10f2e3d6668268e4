"""Track the state of one receiver: its attempts decide whether it is failing or has recovered."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from watcher.core.delivery.model import LeasedDelivery, ReceiverSignal, Settled, Settlement, SignalKind
from watcher.core.delivery.receiver_change import (
    ReceiverChange,
    ReceiverSummary,
    change_after,
    failing_change,
    overdue_since,
    with_expiry,
)
from watcher.core.delivery.receiver_health import is_news
from watcher.core.delivery.receiver_state import ReceiverState
from watcher.core.routing.planning import OutdatedDecisionError
from watcher.pipeline.delivery_ports import Deliveries


@dataclass(slots=True, eq=False)
class _Ended:
    """An attempt that waits for its settlement, then the result of that."""

    attempt: Settled
    saved: bool | None = None
    change: ReceiverChange | None = None
    error: Exception | None = None

    @property
    def settlement(self) -> Settlement:
        return self.attempt[1]

    @property
    def is_settled(self) -> bool:
        return self.saved is not None or self.error is not None

    def result(self) -> tuple[bool, ReceiverChange | None]:
        if self.error is not None:
            raise self.error
        return bool(self.saved), self.change


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
        self._ended: list[_Ended] = []
        """Attempts that ended while others were being settled."""

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
        """Write an attempt's outcome with the change of the receiver, together with others that end meanwhile.

        Returns:
            tuple[bool, ReceiverChange | None]: whether the lease still held, and the change, if there is one.

        Raises:
            OutdatedDecisionError: the stored state has changed; the next call reads it.
        """
        ended = _Ended((leased, settlement))
        self._ended.append(ended)
        async with self._settling:
            if not ended.is_settled:
                await self._settle_ended()
        return ended.result()

    async def _settle_ended(self) -> None:
        batch, self._ended = self._ended, []
        try:
            await self._settle_batch(batch)
        except Exception as error:  # noqa: BLE001 - each caller gets it
            for ended in batch:
                ended.error = None if ended.is_settled else error
        except BaseException:
            # Only this caller ends; the others settle theirs.
            self._ended = [ended for ended in batch if not ended.is_settled] + self._ended
            raise

    async def _settle_batch(self, batch: Sequence[_Ended]) -> None:
        """Settle attempts in their order; those that tell nothing new about the receiver share a transaction."""
        alike: list[_Ended] = []
        for ended in batch:
            if not await self._is_news(ended.settlement):
                alike.append(ended)
                continue
            await self._write(alike, await self._unchanged(alike))
            alike = []
            await self._write([ended], await self._decide(ended))
        await self._write(alike, await self._unchanged(alike))

    async def _is_news(self, settlement: Settlement) -> bool:
        return settlement.signal is not None and is_news(await self._known(), settlement.signal)

    async def _unchanged(self, batch: Sequence[_Ended]) -> ReceiverChange | None:
        if all(ended.settlement.signal is None for ended in batch):
            return None
        known = await self._known()
        # The store compares the state, so that a change by another process is noticed.
        return ReceiverChange(before=known, after=known)

    async def _write(self, batch: Sequence[_Ended], change: ReceiverChange | None) -> None:
        if not batch:
            return
        try:
            saved = await self._deliveries.settle_all([ended.attempt for ended in batch], change)
        except OutdatedDecisionError:
            self._state = None
            raise
        for ended, held in zip(batch, saved, strict=True):
            ended.saved, ended.change = held, change
        if change is not None and any(saved):
            self._state = change.after

    async def _decide(self, ended: _Ended) -> ReceiverChange | None:
        """Decide the change that news about the receiver make."""
        leased, settlement = ended.attempt
        if settlement.signal is None:
            return None
        ends = settlement.verdict.next_at is None
        summary = await self._summary_for(settlement.signal, leased.request.delivery_id, ends=ends)
        return change_after(summary, settlement.signal, self._deliveries.epoch, self._deliveries.restore, settlement.at)

    async def _summary_for(self, signal: ReceiverSignal, settling: str, *, ends: bool) -> ReceiverSummary:
        """Read as much of what waits as the signal needs: the whole of it is only for an event."""
        known = await self._known()
        if signal.health is SignalKind.FAILS or (
            signal.health is SignalKind.REFUSES and known.failing_since is not None
        ):
            return ReceiverSummary(state=known, waiting=0)
        if signal.health is SignalKind.PASSES:
            urgent_since = await self._deliveries.urgent_since(self._receiver, settling)
            if urgent_since is not None or known.failing_since is None:
                return ReceiverSummary(state=known, waiting=0, urgent_since=urgent_since)
        return await self._summary(settling, ends=ends)

    async def _summary(self, settling: str = "", *, ends: bool = False) -> ReceiverSummary:
        summary = await self._deliveries.receiver_summary(self._receiver, settling=settling, ends=ends)
        return with_expiry(summary, self._give_up_after)

    async def _known(self) -> ReceiverState:
        if self._state is None:
            self._state = await self._deliveries.receiver_state(self._receiver)
        return self._state
