"""One attempt's outcome, and what follows from it.

A receiver makes one attempt and classifies it; this module alone decides about retries and giving up.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, assert_never

from watcher.core.event import Event

MAX_RETRY_AFTER_SECONDS: Final = 3600.0
PARKED_RETRY: Final = timedelta(hours=1)
"""How often a receiver that refuses for good is tried again."""
MAX_DOUBLINGS: Final = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryRequest:
    """One delivery as a receiver gets it for one attempt."""

    delivery_id: str
    """The ``webhook-id``: the same at every attempt."""
    events: tuple[Event, ...]
    body: bytes | None
    """The sealed bytes, where the receiver seals; the same at every attempt."""
    also: tuple[Event, ...] = ()
    """Events of the same occasion that were told by themselves; a group names them without telling them again."""
    attempt: int = 1
    may_be_repeat: bool = False
    """Whether an earlier attempt's outcome is not known, so that this one may be a second copy."""
    degrade: int = 0
    """How many steps the content was simplified because the receiver refused it."""
    mentions: tuple[str, ...] = ()
    """Slack's markup for whom the routes mention: the only markup from outside the program that is not escaped."""
    attempted_at: datetime | None = None
    """When this attempt began; of one that is looked up, when the one in doubt did."""
    lookups: int = 0
    """How often it was looked up and not found since that attempt."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """The receiver has it."""

    answer: str = ""
    receipt: str | None = None
    """What identifies the message at the receiver, e.g. Slack's ``ts``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TryLater:
    """Surely not delivered, and worth another attempt."""

    reason: str
    answer: str = ""
    after_seconds: float | None = None
    """The receiver's own wish (``Retry-After``); it goes before our back-off."""
    throttled: bool = False
    """Whether we only came too fast: such an attempt makes no later wait longer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Uncertain:
    """Something was written and no answer tells what became of it: it may be delivered or not."""

    reason: str
    answer: str = ""
    after_seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Degrade:
    """The content was refused; a simpler one may pass, at once."""

    reason: str
    answer: str = ""
    steps: int = 1
    """How many steps of simplifying that takes; what they are is the receiver's business."""


class Scope(StrEnum):
    """What a refusal is about."""

    RECEIVER = "receiver"
    """The destination or its credentials: until a person acts, nothing passes."""
    MESSAGE = "message"
    """This message alone can never pass."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """Refused for good."""

    reason: str
    answer: str = ""
    scope: Scope = Scope.RECEIVER


Outcome = Delivered | TryLater | Uncertain | Degrade | Refused


class Dedup(StrEnum):
    """What is known at the other side of a message that is sent twice."""

    BY_ID = "by-id"
    """It knows a repeat by its id, so that a second copy does no harm."""
    BY_LOOKUP = "by-lookup"
    """It can be asked whether the first copy arrived."""
    UNKNOWN = "unknown"


class OnUncertain(StrEnum):
    """What to do where a repeat cannot be ruled out."""

    RESEND = "resend"
    HOLD = "hold"


class State(StrEnum):
    """The life of a delivery row."""

    PENDING = "pending"
    SENDING = "sending"
    UNCERTAIN = "uncertain"
    DELIVERED = "delivered"
    HELD = "held"
    DEAD = "dead"
    DROPPED = "dropped"
    SILENCED = "silenced"
    """Never sent, on purpose: the row is there to say so."""


OPEN_STATES: Final = frozenset({State.PENDING, State.SENDING, State.UNCERTAIN})
"""States that still want work and that block their (training, receiver) line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How attempts are repeated: doubling with jitter from the first wait to the longest, until we give up."""

    first_retry: timedelta = timedelta(seconds=5)
    max_retry: timedelta = timedelta(hours=1)
    give_up_after: timedelta = timedelta(days=3)
    on_uncertain: OnUncertain = OnUncertain.RESEND


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """What is known of a delivery when an attempt at it has ended."""

    number: int
    """Counts from 1; an attempt that the receiver merely throttled is not counted."""
    created_at: datetime
    dedup: Dedup


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What becomes of a delivery after an attempt."""

    state: State
    reason: str
    next_at: datetime | None = None
    """When to try again; ``None`` once the delivery has ended."""
    may_be_repeat: bool = False
    """Whether the next attempt may be a second copy."""
    degrade: int = 0
    """How many steps simpler the next attempt is."""
    uncounted: bool = False
    """Whether the attempt leaves the count of attempts as it was."""
    lookups: int = 0
    """How often the delivery was looked up and not found by now."""
    certain: bool = False
    """Whether it is known by now that no earlier attempt arrived."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeasedDelivery:
    """A delivery that is ours until its lease ends."""

    request: DeliveryRequest
    token: str
    created_at: datetime
    due_at: datetime
    in_doubt: bool = False
    """Whether the outcome of its last attempt is not known."""
    receiver_seqs: tuple[int, ...] = ()
    """The ``receiver_seq`` of each event of the request, in their order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What a sender asks for."""

    receiver: str
    limit: int
    """At most so many deliveries, each of another line."""
    token: str
    """New for each claim; whoever settles must show it."""
    lease: timedelta
    due_by: datetime | None = None
    """Only what was due by then; ``None`` for whatever is due now."""
    by_lookup: bool = False
    """Whether what is in doubt is claimed for being looked up: all of it, as soon as one is due, and by itself."""
    oldest_only: bool = False
    """Whether the receiver is parked, so that only the oldest that waits for it is tried."""


class SignalKind(StrEnum):
    """What an attempt says of its receiver."""

    REFUSES = "refuses"
    PASSES = "passes"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiverSignal:
    """What an attempt says of its receiver, and in which words."""

    health: SignalKind
    reason: str = ""
    answer: str = ""
    began_at: datetime | None = None
    """When the attempt began, of one that was found by looking it up: it says nothing of what came after."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """What became of an attempt."""

    verdict: Verdict
    at: datetime
    answer: str = ""
    receipt: str | None = None
    signal: ReceiverSignal | None = None
    """What the attempt says of the receiver."""


def verdict(outcome: Outcome, attempt: Attempt, policy: Policy, now: datetime, unit: float) -> Verdict:
    """Decide what follows from one attempt's outcome.

    Args:
        outcome: What the receiver made of the attempt.
        attempt: The delivery's age and number of attempts.
        policy: The configured waits.
        now: The attempt's end, UTC.
        unit: A number in [0, 1) that spreads the waits; the caller draws it.
    """
    match outcome:
        case Delivered():
            return Verdict(state=State.DELIVERED, reason="delivered")
        case Degrade(reason=reason, steps=steps):
            return Verdict(state=State.PENDING, reason=reason, next_at=now, degrade=steps)
        case Refused(reason=reason, scope=Scope.MESSAGE):
            return Verdict(state=State.DEAD, reason=reason)
        case Refused(reason=reason):
            return again_or_dead(reason, PARKED_RETRY, attempt, policy, now)
        case TryLater(reason=reason, after_seconds=wish, throttled=throttled):
            later = again_or_dead(reason, _wait(wish, attempt, policy, unit), attempt, policy, now)
            return replace(later, uncounted=throttled)
        case Uncertain(reason=reason, after_seconds=wish):
            return _after_uncertain(reason, _wait(wish, attempt, policy, unit), attempt, policy, now)
        case _:
            assert_never(outcome)


def _after_uncertain(reason: str, wait: timedelta, attempt: Attempt, policy: Policy, now: datetime) -> Verdict:
    if attempt.dedup is Dedup.BY_LOOKUP:
        asked = again_or_dead(reason, policy.first_retry, attempt, policy, now, state=State.UNCERTAIN)
        return replace(asked, may_be_repeat=True)
    if attempt.dedup is Dedup.BY_ID:
        return again_or_dead(reason, wait, attempt, policy, now)
    if policy.on_uncertain is OnUncertain.HOLD:
        return Verdict(state=State.HELD, reason=reason)
    return replace(again_or_dead(reason, wait, attempt, policy, now), may_be_repeat=True)


def again_or_dead(  # noqa: PLR0913 - what every verdict about another attempt is made from
    reason: str, wait: timedelta, attempt: Attempt, policy: Policy, now: datetime, *, state: State = State.PENDING
) -> Verdict:
    """Return that another attempt follows after ``wait``, unless the delivery is too old for one."""
    deadline = attempt.created_at + policy.give_up_after
    if now >= deadline:
        return Verdict(state=State.DEAD, reason=reason)
    # The last attempt is made at the deadline itself, so that a long wait gives nothing up early.
    return Verdict(state=state, reason=reason, next_at=min(now + wait, deadline))


def _wait(wish_seconds: float | None, attempt: Attempt, policy: Policy, unit: float) -> timedelta:
    if wish_seconds is not None:
        return timedelta(seconds=min(max(wish_seconds, 0.0), MAX_RETRY_AFTER_SECONDS))
    return retry_wait(attempt.number, policy, unit)


def retry_wait(number: int, policy: Policy, unit: float) -> timedelta:
    """Return the wait after attempt ``number``: doubled each time, then spread over its upper half by ``unit``."""
    doublings = min(number - 1, MAX_DOUBLINGS)
    longest = min(policy.first_retry * (1 << doublings), policy.max_retry)
    return longest * (0.5 + unit / 2)
