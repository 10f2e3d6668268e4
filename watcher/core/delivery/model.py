"""Deliveries: the outcome of one attempt, and the verdict about the next.

A receiver makes one attempt and classifies its outcome. This module alone decides about retries and expiry.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, assert_never

from watcher.core.delivery.reason import DELIVERED, NO_REASON, Context, Reason, in_context
from watcher.core.delivery.state import OnUncertain, State
from watcher.core.event import Event

MAX_RETRY_AFTER_SECONDS: Final = 3600.0
PARKED_RETRY: Final = timedelta(hours=1)
"""The time between attempts at a parked receiver."""
MAX_DOUBLINGS: Final = 30
TRIES: Final = 3
"""Refusals in a row of one delivery after which a receiver counts as failing, where one answer does not prove it."""
SOON: Final = (timedelta(seconds=20), timedelta(seconds=60))
"""The longest waits before the second and the third of these tries: together less than two minutes."""
SOON_FACTOR: Final = 4
"""With a short ``first_retry`` the waits are shorter: four times as long, then sixteen times."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryRequest:
    """One delivery, for one attempt of a receiver."""

    delivery_id: str
    """The ``webhook-id``: the same at every attempt."""
    events: Sequence[Event]
    """Its events, in the order of the message; those of a sealed body are read when they are used."""
    body: bytes | None
    """The sealed bytes, the same at every attempt; ``None`` where the receiver does not seal."""
    also: tuple[Event, ...] = ()
    """Events of the same catch-up that were sent in messages of their own; the group only names them."""
    attempt: int = 1
    may_be_repeat: bool = False
    """Whether an earlier attempt may have arrived, so that this message may be a second copy."""
    degrade: int = 0
    """Steps by which the content was simplified after the receiver refused it."""
    mentions: tuple[str, ...] = ()
    """Slack's markup for the routes' mentions; the only markup from outside that is not escaped."""
    attempted_at: datetime | None = None
    """Start of this attempt; for a lookup, start of the attempt in doubt."""
    lookups: int = 0
    """Lookups since that attempt that did not find the message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """The receiver accepted the message."""

    answer: str = ""
    receipt: str | None = None
    """The message's id at the receiver, e.g. Slack's ``ts``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TryLater:
    """The message was not delivered, and a retry may succeed."""

    reason: Reason
    answer: str = ""
    after_seconds: float | None = None
    """The receiver's requested wait (``Retry-After``); it takes precedence over our back-off."""
    throttled: bool = False
    """Whether the receiver only limited the rate; such an attempt does not lengthen later waits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Uncertain:
    """The request was at least partly written, and no answer shows whether the message arrived."""

    reason: Reason
    answer: str = ""
    after_seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Degrade:
    """The receiver refused the content; a simpler message may be sent at once."""

    reason: Reason
    answer: str = ""
    steps: int = 1
    """Steps by which to simplify; each receiver defines its own."""


class RefusalScope(StrEnum):
    """The scope of a refusal."""

    RECEIVER = "receiver"
    """The destination or its credentials: no message is accepted until a person acts."""
    MESSAGE = "message"
    """Only this message, which can never be accepted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """The receiver refuses permanently."""

    reason: Reason
    answer: str = ""
    scope: RefusalScope = RefusalScope.RECEIVER
    tries: int = 1
    """Refusals in a row of one delivery that prove it; a deploy, for example, answers 404 for a moment."""


Outcome = Delivered | TryLater | Uncertain | Degrade | Refused


class Dedup(StrEnum):
    """The way in which a second copy of a message is recognised."""

    BY_ID = "by-id"
    """The receiver recognises a second copy by its id, so it does no harm."""
    BY_LOOKUP = "by-lookup"
    """The watcher can look up whether the first copy arrived."""
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """The retry policy: waits double with jitter from the first to the longest, until the delivery expires."""

    first_retry: timedelta = timedelta(seconds=5)
    max_retry: timedelta = timedelta(hours=1)
    give_up_after: timedelta = timedelta(days=3)
    failing_after: timedelta = timedelta(minutes=15)
    """A receiver is failing after so long without a success while something waited."""
    on_uncertain: OnUncertain = OnUncertain.RESEND


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """The facts of a delivery at the end of an attempt."""

    number: int
    """Counts from 1; rate-limited attempts do not count."""
    allowed_at: datetime
    """The time at which the delivery was first allowed to go; it expires by its age from then on."""
    dedup: Dedup
    refusals: int = TRIES
    """Refusals in a row, with this one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The next state of a delivery after an attempt or lookup."""

    state: State
    reason: Reason
    next_at: datetime | None = None
    """Time of the next attempt or lookup; ``None`` where the delivery has ended or is held."""
    may_be_repeat: bool = False
    """Whether the next attempt may be a second copy."""
    degrade: int = 0
    """Steps by which the next attempt is simpler."""
    uncounted: bool = False
    """Whether the attempt does not count."""
    lookups: int = 0
    """Lookups so far that did not find the message."""
    certain: bool = False
    """Whether it is now certain that no earlier attempt arrived."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeasedDelivery:
    """A delivery that belongs to one worker until its lease ends."""

    request: DeliveryRequest
    token: str
    created_at: datetime
    due_at: datetime
    allowed_at: datetime
    """The time at which it was first allowed to go: the end of our own waits, then its first attempt."""
    in_doubt: bool = False
    """Whether the outcome of its last attempt is not known."""
    last_reason: Reason = NO_REASON
    """The reason of the last attempt whose outcome is known."""
    receiver_seqs: tuple[int, ...] = ()
    """The ``receiver_seq`` of each event of the request, in their order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A worker's request for deliveries."""

    receiver: str
    limit: int
    """The most deliveries, each of a different training or other subject."""
    token: str
    """New for each claim; only its holder can settle the deliveries."""
    lease: timedelta
    due_by: datetime | None = None
    """Only deliveries due by this time; ``None`` for all that are due now."""
    by_lookup: bool = False
    """Whether uncertain deliveries are claimed for a lookup: all of them as soon as one is due, and no others."""
    batch_max: int = 1
    """Events of one message at most; with more than 1, due deliveries of single events are joined into it."""
    oldest_only: bool = False
    """Whether the receiver is parked, so that only its oldest delivery is tried."""


class SignalKind(StrEnum):
    """The kinds of signals about a receiver."""

    REFUSES = "refuses"
    FAILS = "fails"
    """The attempt had no success; a later one may have."""
    PASSES = "passes"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiverSignal:
    """The conclusion of one attempt about its receiver, with the reason and answer."""

    health: SignalKind
    reason: Reason = NO_REASON
    answer: str = ""
    began_at: datetime | None = None
    """Start of an attempt that a lookup found; the signal does not apply to later times."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """The result of an attempt, as it is stored."""

    verdict: Verdict
    at: datetime
    answer: str = ""
    receipt: str | None = None
    signal: ReceiverSignal | None = None


Settled = tuple[LeasedDelivery, Settlement]
"""An attempt that has ended, with its result."""


def verdict(outcome: Outcome, attempt: Attempt, policy: Policy, now: datetime, unit: float) -> Verdict:
    """Return the verdict about a delivery after one attempt.

    Args:
        outcome: The receiver's classification of the attempt.
        attempt: The delivery's age and number of attempts.
        policy: The configured waits.
        now: The attempt's end, UTC.
        unit: A random number in [0, 1) from the caller, which spreads the waits.
    """
    match outcome:
        case Delivered():
            return Verdict(state=State.DELIVERED, reason=DELIVERED)
        case Degrade(reason=reason, steps=steps):
            return Verdict(state=State.PENDING, reason=reason, next_at=now, degrade=steps)
        case Refused(reason=reason, scope=RefusalScope.MESSAGE):
            return Verdict(state=State.DEAD, reason=reason)
        case Refused(reason=reason, tries=tries):
            return again_or_dead(reason, _wait_after_refusal(tries, attempt, policy, unit), attempt, policy, now)
        case TryLater(reason=reason, after_seconds=requested, throttled=throttled):
            later = again_or_dead(reason, _wait(requested, attempt, policy, unit), attempt, policy, now)
            return replace(later, uncounted=throttled)
        case Uncertain(reason=reason, after_seconds=requested):
            return _after_uncertain(reason, _wait(requested, attempt, policy, unit), attempt, policy, now)
        case _:
            assert_never(outcome)


def _after_uncertain(reason: Reason, wait: timedelta, attempt: Attempt, policy: Policy, now: datetime) -> Verdict:
    if attempt.dedup is Dedup.BY_LOOKUP:
        looked_up = again_or_dead(reason, policy.first_retry, attempt, policy, now, state=State.UNCERTAIN)
        return replace(looked_up, may_be_repeat=True)
    if attempt.dedup is Dedup.BY_ID:
        return again_or_dead(reason, wait, attempt, policy, now)
    if policy.on_uncertain is OnUncertain.HOLD:
        # An operator may send it again, and then it may be a second copy.
        return Verdict(state=State.HELD, reason=reason, may_be_repeat=True)
    return replace(again_or_dead(reason, wait, attempt, policy, now), may_be_repeat=True)


def again_or_dead(  # noqa: PLR0913 - all facts of a verdict about another attempt
    reason: Reason, wait: timedelta, attempt: Attempt, policy: Policy, now: datetime, *, state: State = State.PENDING
) -> Verdict:
    """Return a verdict with another attempt after ``wait``, or with the end of a delivery that has expired."""
    deadline = attempt.allowed_at + policy.give_up_after
    if now >= deadline:
        return Verdict(state=State.DEAD, reason=in_context(Context.EXPIRED, reason))
    # The last attempt is made at the deadline itself, so that a long wait expires nothing early.
    return Verdict(state=state, reason=reason, next_at=min(now + wait, deadline))


def _wait(requested_seconds: float | None, attempt: Attempt, policy: Policy, unit: float) -> timedelta:
    if requested_seconds is not None:
        return timedelta(seconds=min(max(requested_seconds, 0.0), MAX_RETRY_AFTER_SECONDS))
    return retry_wait(attempt.number, policy, unit)


def _wait_after_refusal(tries: int, attempt: Attempt, policy: Policy, unit: float) -> timedelta:
    if attempt.refusals >= tries:
        return PARKED_RETRY
    factor: int = SOON_FACTOR**attempt.refusals
    longest = min(SOON[attempt.refusals - 1], policy.first_retry * factor, policy.max_retry)
    return longest * (0.5 + unit / 2)


def retry_wait(number: int, policy: Policy, unit: float) -> timedelta:
    """Return the wait after attempt ``number``: doubled each time, and spread over its upper half by ``unit``."""
    doublings = min(number - 1, MAX_DOUBLINGS)
    longest = min(policy.first_retry * (1 << doublings), policy.max_retry)
    return longest * (0.5 + unit / 2)
