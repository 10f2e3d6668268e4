"""Expire deliveries that are too old for another attempt."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from watcher.core.delivery.waiting import expired, orphan_expired
from watcher.pipeline.delivery_ports import Deliveries, OrphanDeliveries


async def expire(store: Deliveries, receiver: str, before: datetime, now: datetime) -> list[str]:
    """Expire a batch of a receiver's deliveries, allowed to go before this time; return their ids, none at the end.

    While the receiver works, an untried delivery waits for us: for its pace, or for an earlier one of its training.
    """
    state = await store.receiver_state(receiver)
    failing = state.failing_since is not None
    old = await store.expirable(receiver, before, uncertain=state.parked, untried=failing)
    return await store.end([expired(delivery, state) for delivery in old], now) if old else []


async def expire_orphans(
    store: OrphanDeliveries, configured: Collection[str], before: datetime, now: datetime
) -> list[str]:
    """Expire a batch of old deliveries to receivers that are not configured; return their ids, none at the end."""
    old = await store.orphaned(configured, before)
    return await store.end([orphan_expired(delivery) for delivery in old], now) if old else []
