"""Decide how the state of a receiver changes; the store writes the decision if the state is still the same."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from watcher.core.delivery.facts import WaitingEventFacts
from watcher.core.delivery.model import PARKED_RETRY, ReceiverSignal, SignalKind
from watcher.core.delivery.reason import RECEIVER_REMOVED, Reason
from watcher.core.delivery.receiver_health import DeadLetter, Waiting, failing, is_news, state_change, undelivered
from watcher.core.delivery.receiver_state import ReceiverState
from watcher.core.event import Event, Kind, Restore, after_restore, named_event

LOOKUP_WAIT: Final = timedelta(seconds=10)
"""The least wait before an uncertain delivery is looked up again, also when its receiver has just recovered."""
FAILED_AGAIN_WAIT: Final = timedelta(seconds=10)
"""The longest wait of a failing receiver's deliveries after a success of another one, in place of their back-off."""
REMOVED: Final = ReceiverSignal(health=SignalKind.REFUSES, reason=RECEIVER_REMOVED)
"""A receiver that is not configured any more fails permanently, as if it had refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiverSummary:
    """The stored state of a receiver, and the deliveries that wait for it."""

    state: ReceiverState
    waiting: int
    """The number of deliveries that wait, or are just being tried."""
    urgent: tuple[Event, ...] = ()
    """The oldest urgent events that wait, those of a running attempt too."""
    tried_waits: bool = False
    """Whether a delivery that was tried still waits."""
    oldest_allowed_at: datetime | None = None
    """The time at which the oldest delivery that waits was first allowed to go; one that was never tried counts too."""
    expires_at: datetime | None = None
    """The earliest time at which one of them expires, see ``with_expiry``."""
    urgent_since: datetime | None = None
    """The creation of the oldest urgent delivery that has failed and still waits, or waits for one that has failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiverChange:
    """The state of a receiver before and after, with the event about it."""

    before: ReceiverState
    """The state that the decision was made with."""
    after: ReceiverState
    event: Event | None = None
    not_before: datetime | None = None
    """Set when the receiver fails permanently: no waiting delivery is due before this time."""
    due_at: datetime | None = None
    """Set after a success of a failing receiver: no waiting delivery is due later, an uncertain one a little later."""


def with_expiry(summary: ReceiverSummary, give_up_after: timedelta) -> ReceiverSummary:
    """Return the summary with the earliest time at which a delivery that waits expires."""
    oldest = summary.oldest_allowed_at
    return summary if oldest is None else replace(summary, expires_at=oldest + give_up_after)


def change_after(
    summary: ReceiverSummary, signal: ReceiverSignal, epoch: str, restore: Restore | None, now: datetime
) -> ReceiverChange:
    """Return the change that a signal makes; ``before`` and ``after`` are equal where it makes none.

    Args:
        summary: the receiver before the signal; the delivery that gave the signal counts if it still waits.
        signal: the outcome of an attempt, or the removal from the configuration.
        epoch: the store's.
        restore: the latest restore of the store from a backup, if there was one.
        now: UTC.
    """
    before = summary.state
    if not is_news(before, signal):
        return ReceiverChange(before=before, after=before)
    after, event = state_change(before, signal, _waiting(summary, now), epoch, now)
    refuses = signal.health is SignalKind.REFUSES
    return ReceiverChange(
        before=before,
        after=after,
        event=None if event is None else after_restore(event, restore),
        not_before=now + PARKED_RETRY if refuses else None,
        due_at=_due_at(before, after, now) if signal.health is SignalKind.PASSES else None,
    )


def _due_at(before: ReceiverState, after: ReceiverState, now: datetime) -> datetime | None:
    if before.failing_since is None:
        return None
    still_fails = after.failing_since is not None and not before.parked
    return now + FAILED_AGAIN_WAIT if still_fails else now


def overdue_since(summary: ReceiverSummary, failing_after: timedelta, now: datetime) -> datetime | None:
    """Return since when a receiver has no success, if that is too long; ``None`` while it works or nothing waits.

    The time counts while something waited: a receiver that nothing was sent to has not failed meanwhile.
    """
    since = summary.state.troubled_since
    if summary.state.failing_since is not None or since is None or not summary.tried_waits:
        return None
    return since if now - since >= failing_after else None


def failing_change(
    summary: ReceiverSummary, since: datetime, epoch: str, restore: Restore | None, now: datetime
) -> ReceiverChange:
    """Return the change of a receiver that has had no success since this time."""
    after, event = failing(summary.state, _waiting(summary, now), epoch, now, since)
    return ReceiverChange(before=summary.state, after=after, event=after_restore(event, restore))


def _waiting(summary: ReceiverSummary, now: datetime) -> Waiting:
    urgent = (WaitingEventFacts(id=event.id, event=named_event(event)) for event in summary.urgent)
    # A delivery that expires with this very attempt waits no more.
    expires_at = summary.expires_at if summary.expires_at is not None and summary.expires_at > now else None
    return Waiting(
        count=summary.waiting, urgent=tuple(urgent), expires_at=expires_at, urgent_since=summary.urgent_since
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadDelivery:
    """A delivery that expired or was refused, and whose end is not announced yet."""

    id: str
    reason: Reason
    created_at: datetime
    ended_at: datetime | None
    kinds: frozenset[Kind]
    """The kinds of its events."""
    events: tuple[Event, ...]
    """Its events; only the first deliveries of a group have them, since thousands may die at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadGroup:
    """The dead deliveries of one receiver."""

    state: ReceiverState
    deliveries: tuple[DeadDelivery, ...]

    @property
    def announceable(self) -> tuple[DeadDelivery, ...]:
        """The dead deliveries that an event may report.

        A dead delivery about dead deliveries stays out: an event about it would run in circles. ``status`` and
        ``/readyz`` show it.
        """
        return tuple(delivery for delivery in self.deliveries if delivery.kinds - {Kind.UNDELIVERED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Announcement:
    """The event about a receiver's dead deliveries, and the deliveries that it settles."""

    change: ReceiverChange | None
    """``None`` where nothing may be announced."""
    deliveries: tuple[str, ...]


def announcement(
    group: DeadGroup, dead_letters: tuple[DeadLetter, ...], epoch: str, restore: Restore | None, now: datetime
) -> Announcement:
    """Return the announcement of a group; ``dead_letters`` describe its announceable deliveries, in their order."""
    ids = tuple(delivery.id for delivery in group.deliveries)
    if not dead_letters:
        return Announcement(change=None, deliveries=ids)
    after, event = undelivered(group.state, dead_letters, epoch, now)
    change = ReceiverChange(before=group.state, after=after, event=after_restore(event, restore))
    return Announcement(change=change, deliveries=ids)
