"""Announce dead letters, and receivers that were removed while deliveries wait for them."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta

from watcher.core.delivery.receiver_change import (
    REMOVED,
    Announcement,
    DeadDelivery,
    DeadGroup,
    announcement,
    change_after,
    with_expiry,
)
from watcher.core.delivery.receiver_health import DeadLetter
from watcher.core.event import Event, named_event
from watcher.pipeline.delivery_ports import Deliveries, OrphanDeliveries
from watcher.pipeline.repeated import until_current


async def announce_dead_letters(
    store: Deliveries | OrphanDeliveries, receiver: str | None, now: datetime
) -> list[Event]:
    """Record one event a receiver about its dead letters; return the events.

    Args:
        store: it has the deliveries.
        receiver: the only receiver to look at; ``None`` stands for all.
        now: UTC.
    """

    async def decide_and_write() -> list[Event]:
        announcements = [_announcement(store, group, now) for group in await store.dead_groups(receiver)]
        if announcements:
            await store.announce(announcements)
        changes = [item.change for item in announcements if item.change is not None]
        return [change.event for change in changes if change.event is not None]

    return await until_current(decide_and_write)


async def note_removed(
    store: OrphanDeliveries, configured: Collection[str], give_up_after: timedelta, now: datetime
) -> list[str]:
    """Let receivers count as failing that are not configured although deliveries wait for them.

    Args:
        store: it has the deliveries.
        configured: the names of the configured receivers.
        give_up_after: the age at which deliveries expire.
        now: UTC.

    Returns:
        list[str]: the names of receivers that did not count as failing before.
    """

    async def decide_and_write() -> list[str]:
        removed = [with_expiry(summary, give_up_after) for summary in await store.removed_receivers(configured)]
        changes = [change_after(summary, REMOVED, store.epoch, store.restore, now) for summary in removed]
        await store.change_receivers(changes, configured)
        return [change.after.name for change in changes if change.event is not None]

    return await until_current(decide_and_write)


def _announcement(store: Deliveries | OrphanDeliveries, group: DeadGroup, now: datetime) -> Announcement:
    dead_letters = tuple(_dead_letter(delivery) for delivery in group.announceable)
    return announcement(group, dead_letters, store.epoch, store.restore, now)


def _dead_letter(delivery: DeadDelivery) -> DeadLetter:
    events = delivery.events
    return DeadLetter(
        id=delivery.id,
        reason=delivery.reason,
        event=named_event(events[0]) if events else None,
        more=max(len(events) - 1, 0),
        created_at=delivery.created_at,
        ended_at=delivery.ended_at,
    )
