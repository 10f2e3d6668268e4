"""When a receiver is failing or has recovered, and the events about that.

A permanent refusal parks a receiver. Its deliveries stay, and the watcher tries the oldest one once an hour. A receiver
that has no success for ``failing_after`` while something waits is failing too, but each delivery keeps its own retries.
A success ends both, unless an urgent delivery that has failed still waits, or waits for one that has failed: a receiver
that takes all but the failures does not work.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from watcher.core.delivery.facts import (
    DeadLetterFacts,
    NamedEvent,
    ReceiverFacts,
    WaitingEventFacts,
    failing_remedy,
    retry_remedy,
)
from watcher.core.delivery.lookup import LookupFailed, LookupResult, MessageFound
from watcher.core.delivery.model import (
    TRIES,
    Delivered,
    Outcome,
    ReceiverSignal,
    RefusalScope,
    Refused,
    SignalKind,
    TryLater,
    Uncertain,
)
from watcher.core.delivery.reason import Reason
from watcher.core.delivery.receiver_state import ReceiverState
from watcher.core.event import Event, Kind, event_id

URGENT_MAX: Final = 10
"""Urgent events that the event about a failing receiver names."""
DEAD_LETTERS_MAX: Final = 50
"""Dead letters that one event names; the others are only counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """The deliveries that wait for a receiver."""

    count: int = 0
    urgent: tuple[WaitingEventFacts, ...] = ()
    """The oldest urgent events among them."""
    expires_at: datetime | None = None
    """The earliest time at which one of them expires; ``None`` where it is not known."""
    urgent_since: datetime | None = None
    """The creation of the oldest urgent delivery that has failed and still waits, or waits for one that has failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """A delivery that ended without success."""

    id: str
    reason: Reason
    event: NamedEvent | None = None
    """Its first event; ``None`` where it is not known."""
    more: int = 0
    """Its other events."""
    created_at: datetime
    ended_at: datetime | None = None


def signal_of(
    outcome: Outcome | LookupResult, began_at: datetime | None = None, refusals: int = TRIES
) -> ReceiverSignal | None:
    """Return the information that an outcome gives about the receiver; ``None`` where it gives none.

    Args:
        outcome: the outcome of an attempt or of a lookup.
        began_at: the start of the attempt that was looked up.
        refusals: the delivery's refusals in a row, with this one.
    """
    match outcome:
        case Delivered():
            return ReceiverSignal(health=SignalKind.PASSES)
        case MessageFound():
            return ReceiverSignal(health=SignalKind.PASSES, began_at=began_at)
        case Refused(reason=reason, answer=answer, scope=RefusalScope.RECEIVER, tries=tries):
            health = SignalKind.REFUSES if refusals >= tries else SignalKind.FAILS
            return ReceiverSignal(health=health, reason=reason, answer=answer, began_at=began_at)
        case TryLater(reason=reason, answer=answer) | Uncertain(reason=reason, answer=answer):
            return ReceiverSignal(health=SignalKind.FAILS, reason=reason, answer=answer, began_at=began_at)
        case LookupFailed(reason=reason):
            return ReceiverSignal(health=SignalKind.FAILS, reason=reason)
        case _:
            return None


def is_news(receiver_state: ReceiverState, signal: ReceiverSignal) -> bool:
    """Say whether a signal changes the state of a receiver.

    A success does not end a failure that began after it.
    """
    if signal.health is SignalKind.REFUSES:
        return True
    if signal.health is SignalKind.FAILS:
        said = (receiver_state.reason, receiver_state.answer)
        return not receiver_state.parked and (
            receiver_state.troubled_since is None or said != (signal.reason, signal.answer)
        )
    since = receiver_state.failing_since or receiver_state.troubled_since
    return since is not None and (signal.began_at is None or signal.began_at >= since)


def state_change(
    receiver_state: ReceiverState, signal: ReceiverSignal, waiting: Waiting, epoch: str, now: datetime
) -> tuple[ReceiverState, Event | None]:
    """Return the state of a receiver after an attempt, and the event about it where that is news.

    Args:
        receiver_state: the state before the attempt.
        signal: the information from the attempt.
        waiting: the deliveries that wait for the receiver, with this one where it did not succeed.
        epoch: the epoch of the store.
        now: the end of the attempt, UTC.
    """
    if signal.health is SignalKind.PASSES:
        return _after_success(receiver_state, signal, waiting, epoch, now)
    said = replace(receiver_state, reason=signal.reason, answer=signal.answer)
    if signal.health is SignalKind.FAILS:
        began_at = min(signal.began_at or now, now)
        return replace(said, troubled_since=receiver_state.troubled_since or began_at), None
    parked = replace(said, parked=True)
    if receiver_state.failing_since is not None:
        return parked, None
    return failing(parked, waiting, epoch, now, since=now)


def failing(
    receiver_state: ReceiverState, waiting: Waiting, epoch: str, now: datetime, since: datetime
) -> tuple[ReceiverState, Event]:
    """Return the state of a receiver that is failing since this time, and the event about it."""
    after = replace(receiver_state, failing_since=since, seq=receiver_state.seq + 1)
    facts = ReceiverFacts(
        name=after.name,
        since=since,
        reason=after.reason,
        answer=after.answer,
        waiting=waiting.count,
        urgent=waiting.urgent[:URGENT_MAX],
        expires_at=waiting.expires_at,
        remedy=failing_remedy(after.reason, parked=after.parked),
    )
    return after, _event(after, Kind.RECEIVER_FAILING, epoch, (since, now), facts)


def _after_success(
    receiver_state: ReceiverState, signal: ReceiverSignal, waiting: Waiting, epoch: str, now: datetime
) -> tuple[ReceiverState, Event | None]:
    if not is_news(receiver_state, signal):
        return receiver_state, None
    if waiting.urgent_since is not None:
        # We may have held the delivery back before its first attempt.
        since = max(waiting.urgent_since, receiver_state.troubled_since or waiting.urgent_since)
        return replace(receiver_state, parked=False, troubled_since=since), None
    if receiver_state.failing_since is None:
        return ReceiverState(name=receiver_state.name, seq=receiver_state.seq), None
    return _recovered(receiver_state, waiting.count, epoch, now)


def _recovered(receiver_state: ReceiverState, waiting: int, epoch: str, now: datetime) -> tuple[ReceiverState, Event]:
    recovered = ReceiverState(name=receiver_state.name, seq=receiver_state.seq + 1)
    since = receiver_state.failing_since or now
    facts = ReceiverFacts(
        name=receiver_state.name,
        since=since,
        reason=receiver_state.reason,
        answer=receiver_state.answer,
        waiting=waiting,
        lasted_seconds=max((now - since).total_seconds(), 0.0),
    )
    return recovered, _event(recovered, Kind.RECEIVER_RECOVERED, epoch, (min(since, now), now), facts)


def undelivered(
    receiver_state: ReceiverState, dead_letters: Sequence[DeadLetter], epoch: str, now: datetime
) -> tuple[ReceiverState, Event]:
    """Return the state of a receiver and the event about its new dead letters, of which there is at least one."""
    announced = replace(receiver_state, seq=receiver_state.seq + 1)
    oldest = min(dead_letter.created_at for dead_letter in dead_letters)
    named = dead_letters[:DEAD_LETTERS_MAX]
    facts = ReceiverFacts(
        name=receiver_state.name,
        since=oldest,
        reason=dead_letters[0].reason,
        answer=receiver_state.answer,
        count=len(dead_letters),
        deliveries=tuple(_dead_letter_facts(item) for item in named),
        ended_at=dead_letters[0].ended_at,
        remedy=retry_remedy([item.id for item in named], len(dead_letters)),
    )
    return announced, _event(announced, Kind.UNDELIVERED, epoch, (min(oldest, now), now), facts)


def _dead_letter_facts(item: DeadLetter) -> DeadLetterFacts:
    return DeadLetterFacts(id=item.id, reason=item.reason, event=item.event, more=item.more)


_REASONS: Final = {
    Kind.RECEIVER_FAILING: "failing",
    Kind.RECEIVER_RECOVERED: "recovered",
    Kind.UNDELIVERED: "expired",
}


def _event(
    receiver_state: ReceiverState, kind: Kind, epoch: str, bounds: tuple[datetime, datetime], facts: ReceiverFacts
) -> Event:
    after, before = bounds
    return Event(
        id=event_id(epoch, receiver_state.subject, receiver_state.seq),
        kind=kind,
        subject=receiver_state.subject,
        seq=receiver_state.seq,
        reason=_REASONS[kind],
        account=None,
        service=None,
        training_type=None,
        version=None,
        from_status=None,
        to_status=None,
        after=after,
        before=before,
        recorded_at=before,
        receiver=facts,
    )
