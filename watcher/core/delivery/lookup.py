"""Lookups: whether an attempt without an answer arrived at the receiver, and the verdict that follows.

A message that is not found may still arrive. It is looked up twice, with a wait before each lookup, and then sent
again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, assert_never

from watcher.core.delivery.model import Attempt, Policy, Verdict, again_or_dead, retry_wait
from watcher.core.delivery.reason import Context, Reason, ReasonCode, in_context
from watcher.core.delivery.state import OnUncertain, State

LOOKUPS: Final = 2
"""Lookups of a message before it is sent again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageFound:
    """The message arrived at the receiver."""

    receipt: str
    answer: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageNotFound:
    """The receiver showed every message since the attempt, without this one."""

    answer: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LookupFailed:
    """The lookup failed, and a later one may succeed."""

    reason: Reason
    answer: str = ""
    after_seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LookupDenied:
    """The receiver does not allow lookups, so it stays unknown whether the message arrived."""

    reason: Reason
    answer: str = ""


LookupResult = MessageFound | MessageNotFound | LookupFailed | LookupDenied


@dataclass(frozen=True, slots=True, kw_only=True)
class Lookup:
    """The facts of an uncertain delivery at the end of a lookup."""

    attempt: Attempt
    attempted_at: datetime
    """Start of the attempt in doubt."""
    due_at: datetime
    """Due time of the lookup; it may come earlier, along with that of another delivery."""
    lookups: int
    """Earlier lookups that did not find the message."""
    unanswered: int = 0
    """Consecutive failed lookups of the receiver, with this one."""


def first_lookup_at(attempted_at: datetime, policy: Policy, now: datetime) -> datetime:
    """Return the time of the first lookup; after a crash, the last request of the dead process may still arrive."""
    # After a step of the wall clock the attempt may lie in the future.
    return min(attempted_at, now) + policy.first_retry


def after_lookup(result: LookupResult, lookup: Lookup, policy: Policy, now: datetime, unit: float) -> Verdict:
    """Return the verdict about a delivery after a lookup.

    Args:
        result: The result of the lookup.
        lookup: The facts of the delivery.
        policy: The configured waits.
        now: The lookup's end, UTC.
        unit: A random number in [0, 1) from the caller, which spreads the waits.
    """
    match result:
        case MessageFound():
            return Verdict(state=State.DELIVERED, reason=Reason(code=ReasonCode.FOUND))
        case MessageNotFound():
            return _not_found(lookup, policy, now, unit)
        case LookupFailed(reason=reason, after_seconds=requested):
            backoff = retry_wait(max(lookup.unanswered, 1), policy, unit)
            wait = backoff if requested is None else timedelta(seconds=max(requested, 0.0))
            return _look_up_again(in_context(Context.LOOKUP_FAILED, reason), wait, lookup, policy, now)
        case LookupDenied(reason=reason):
            return _without_lookup(in_context(Context.LOOKUP_DENIED, reason), lookup, policy, now)
        case _:
            assert_never(result)


def _not_found(lookup: Lookup, policy: Policy, now: datetime, unit: float) -> Verdict:
    if now < lookup.due_at:
        # A lookup before the due time can find the message, but cannot prove that it is missing.
        wait = min(lookup.due_at - now, policy.first_retry * LOOKUPS)
        return _look_up_again(Reason(code=ReasonCode.TO_BE_LOOKED_UP), wait, lookup, policy, now)
    if lookup.lookups + 1 < LOOKUPS:
        once_more = replace(lookup, lookups=lookup.lookups + 1)
        return _look_up_again(Reason(code=ReasonCode.NOT_FOUND_ONCE), policy.first_retry * 2, once_more, policy, now)
    # Waits between attempts grow as after any failure; the lookups have used a part of this one.
    left = lookup.attempted_at + retry_wait(lookup.attempt.number, policy, unit) - now
    missing = Reason(code=ReasonCode.NOT_FOUND_TWICE)
    again = again_or_dead(missing, min(max(left, timedelta()), policy.max_retry), lookup.attempt, policy, now)
    return replace(again, certain=True)


def _look_up_again(reason: Reason, wait: timedelta, lookup: Lookup, policy: Policy, now: datetime) -> Verdict:
    later = again_or_dead(reason, wait, lookup.attempt, policy, now, state=State.UNCERTAIN)
    return replace(later, lookups=lookup.lookups)


def _without_lookup(reason: Reason, lookup: Lookup, policy: Policy, now: datetime) -> Verdict:
    if policy.on_uncertain is OnUncertain.HOLD:
        return Verdict(state=State.HELD, reason=reason)
    return replace(again_or_dead(reason, timedelta(), lookup.attempt, policy, now), may_be_repeat=True)
