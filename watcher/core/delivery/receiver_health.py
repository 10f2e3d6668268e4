"""Receivers that refuse for good: what an attempt says of its receiver, and what is told about that.

A refusal for good parks the receiver: its rows stay, and the oldest alone is tried, once an hour, until one passes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final
from urllib.parse import quote

from watcher.core.delivery.lookup import LookupResult, MessageFound
from watcher.core.delivery.model import Delivered, Outcome, ReceiverSignal, RefusalScope, Refused, SignalKind
from watcher.core.event import Event, Kind, event_id
from watcher.core.timestamps import to_text

DEAD_LETTERS_MAX: Final = 50
"""Dead letters that one event names; the others are counted."""
RECEIVER_REMOVED: Final = "receiver-removed"
"""Why nothing passes where deliveries wait for a receiver that is not configured any more."""
REMOVED_REMEDY: Final = (
    "It is not in the configuration any more: write it there again under this name and run `aitems-watcher reload`, or "
    "end what waits by `aitems-watcher deliveries drop`."
)
PARKED_REMEDY: Final = (
    "Fix the cause that the reason names, then run `aitems-watcher reload`; restart the watcher where env or "
    "credential gives the secret. Until then it tries this receiver once an hour."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiverState:
    """What is remembered of a receiver."""

    name: str
    seq: int = 0
    """The number of the latest event about it."""
    failing_since: datetime | None = None
    reason: str = ""
    answer: str = ""

    @property
    def subject(self) -> str:
        """What its events are about, e.g. ``receiver:ml-ops``."""
        return f"receiver:{quote(self.name, safe='')}"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """A delivery that was given up."""

    id: str
    reason: str
    about: str
    """Its message in one line."""
    created_at: datetime


def signal_of(outcome: Outcome | LookupResult, began_at: datetime | None = None) -> ReceiverSignal | None:
    """Return what an outcome says of the receiver; ``None`` where it says nothing.

    Args:
        outcome: of an attempt, or of looking one up.
        began_at: when that attempt began.
    """
    match outcome:
        case Delivered():
            return ReceiverSignal(health=SignalKind.PASSES)
        case MessageFound():
            return ReceiverSignal(health=SignalKind.PASSES, began_at=began_at)
        case Refused(reason=reason, answer=answer, scope=RefusalScope.RECEIVER):
            return ReceiverSignal(health=SignalKind.REFUSES, reason=reason, answer=answer)
        case _:
            return None


def is_news(receiver_state: ReceiverState, signal: ReceiverSignal) -> bool:
    """Say whether a sign changes how a receiver stands: what passed before the refusal does not take that back."""
    if signal.health is SignalKind.REFUSES:
        return True
    since = receiver_state.failing_since
    return since is not None and (signal.began_at is None or signal.began_at >= since)


def state_change(
    receiver_state: ReceiverState, signal: ReceiverSignal, waiting: int, epoch: str, now: datetime
) -> tuple[ReceiverState, Event | None]:
    """Return how a receiver stands after an attempt, and what is told where that has changed.

    Args:
        receiver_state: how it stood before.
        signal: what the attempt says.
        waiting: how many deliveries wait for it, this one among them where it did not pass.
        epoch: the store's.
        now: the attempt's end, UTC.
    """
    if signal.health is SignalKind.PASSES:
        return (
            _recovered(receiver_state, waiting, epoch, now)
            if is_news(receiver_state, signal)
            else (receiver_state, None)
        )
    parked = replace(receiver_state, reason=signal.reason, answer=signal.answer)
    if receiver_state.failing_since is not None:
        return parked, None
    parked = replace(parked, failing_since=now, seq=receiver_state.seq + 1)
    facts = {**_facts(parked, now), "waiting": waiting, "remedy": _remedy(signal.reason)}
    return parked, _event(parked, Kind.RECEIVER_FAILING, epoch, (now, now), facts)


def _remedy(reason: str) -> str:
    return REMOVED_REMEDY if reason == RECEIVER_REMOVED else PARKED_REMEDY


def _recovered(receiver_state: ReceiverState, waiting: int, epoch: str, now: datetime) -> tuple[ReceiverState, Event]:
    recovered = ReceiverState(name=receiver_state.name, seq=receiver_state.seq + 1)
    since = receiver_state.failing_since or now
    facts = {
        **_facts(receiver_state, since),
        "waiting": waiting,
        "lasted_seconds": max((now - since).total_seconds(), 0.0),
    }
    return recovered, _event(recovered, Kind.RECEIVER_RECOVERED, epoch, (min(since, now), now), facts)


def undelivered(
    receiver_state: ReceiverState, dead_letters: Sequence[DeadLetter], epoch: str, now: datetime
) -> tuple[ReceiverState, Event]:
    """Return what is told about deliveries that were given up, at least one, and the receiver's standing after it."""
    announced = replace(receiver_state, seq=receiver_state.seq + 1)
    oldest = min(letter.created_at for letter in dead_letters)
    named = dead_letters[:DEAD_LETTERS_MAX]
    facts = {
        **_facts(receiver_state, oldest),
        "reason": dead_letters[0].reason,
        "count": len(dead_letters),
        "deliveries": [{"id": item.id, "reason": item.reason, "about": item.about} for item in named],
        "remedy": _retry_command(receiver_state.name, dead_letters),
    }
    return announced, _event(announced, Kind.UNDELIVERED, epoch, (min(oldest, now), now), facts)


def _retry_command(name: str, dead_letters: Sequence[DeadLetter]) -> str:
    which = dead_letters[0].id if len(dead_letters) == 1 else f"--all-dead --receiver {name}"
    return f"aitems-watcher deliveries retry {which}"


def _facts(receiver_state: ReceiverState, since: datetime) -> dict[str, object]:
    return {
        "name": receiver_state.name,
        "since": to_text(since),
        "reason": receiver_state.reason,
        "answer": receiver_state.answer,
        "waiting": None,
        "lasted_seconds": None,
        "count": 0,
        "deliveries": [],
        "remedy": "",
    }


_REASONS: Final = {
    Kind.RECEIVER_FAILING: "failing",
    Kind.RECEIVER_RECOVERED: "recovered",
    Kind.UNDELIVERED: "expired",
}


def _event(
    receiver_state: ReceiverState, kind: Kind, epoch: str, bounds: tuple[datetime, datetime], facts: dict[str, object]
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
