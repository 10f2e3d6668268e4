"""Looking up at the receiver what became of an attempt without an answer, and what follows from that.

A message that was not found may still come: so it is looked for twice, with a wait before each time, and only then
sent again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, assert_never

from watcher.core.delivery.model import Attempt, OnUncertain, Policy, State, Verdict, again_or_dead, retry_wait

LOOKUPS: Final = 2
"""So often a message is looked for before it is sent again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The receiver has it."""

    receipt: str
    answer: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NotFound:
    """The receiver showed everything since the attempt, and it is not among that."""

    answer: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unanswered:
    """The receiver could not be asked now; another time it may."""

    reason: str
    answer: str = ""
    after_seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NotAllowed:
    """We may not ask: whether it arrived stays unknown."""

    reason: str
    answer: str = ""


LookupResult = Found | NotFound | Unanswered | NotAllowed


@dataclass(frozen=True, slots=True, kw_only=True)
class Lookup:
    """What is known of a delivery in doubt when it has been looked up."""

    attempt: Attempt
    attempted_at: datetime
    """When the attempt in doubt began."""
    due_at: datetime
    """When it was to be looked up; it may be looked up earlier, along with others."""
    lookups: int
    """How often it was not found before."""
    unanswered: int = 0
    """How many times in a row the receiver could not be asked, this one included."""


def first_lookup_at(attempted_at: datetime, policy: Policy, now: datetime) -> datetime:
    """Return when a delivery may first be looked up: after a crash, what the process that died wrote still travels."""
    # After a step of the wall clock the attempt may lie in the future.
    return min(attempted_at, now) + policy.first_retry


def after_lookup(result: LookupResult, lookup: Lookup, policy: Policy, now: datetime, unit: float) -> Verdict:
    """Decide what follows from looking a delivery up.

    Args:
        result: What the receiver showed.
        lookup: What is known of the delivery.
        policy: The configured waits.
        now: UTC.
        unit: A number in [0, 1) that spreads the waits; the caller draws it.
    """
    match result:
        case Found():
            return Verdict(state=State.DELIVERED, reason="found")
        case NotFound():
            return _not_found(lookup, policy, now, unit)
        case Unanswered(reason=reason, after_seconds=wish):
            backoff = retry_wait(max(lookup.unanswered, 1), policy, unit)
            wait = backoff if wish is None else timedelta(seconds=max(wish, 0.0))
            return _ask_again(f"cannot look it up: {reason}", wait, lookup, policy, now)
        case NotAllowed(reason=reason):
            return _without_asking(f"may not look it up: {reason}", lookup, policy, now)
        case _:
            assert_never(result)


def _not_found(lookup: Lookup, policy: Policy, now: datetime, unit: float) -> Verdict:
    if now < lookup.due_at:
        # Along with others a delivery is looked for before its time: that can only find it.
        wait = min(lookup.due_at - now, policy.first_retry * LOOKUPS)
        return _ask_again("to be looked up", wait, lookup, policy, now)
    if lookup.lookups + 1 < LOOKUPS:
        once_more = replace(lookup, lookups=lookup.lookups + 1)
        return _ask_again("not found once", policy.first_retry * 2, once_more, policy, now)
    # The waits between attempts grow as they do for what surely failed; the looks took a part of them.
    left = lookup.attempted_at + retry_wait(lookup.attempt.number, policy, unit) - now
    again = again_or_dead("not found twice", min(max(left, timedelta()), policy.max_retry), lookup.attempt, policy, now)
    return replace(again, certain=True)


def _ask_again(reason: str, wait: timedelta, lookup: Lookup, policy: Policy, now: datetime) -> Verdict:
    later = again_or_dead(reason, wait, lookup.attempt, policy, now, state=State.UNCERTAIN)
    return replace(later, lookups=lookup.lookups)


def _without_asking(reason: str, lookup: Lookup, policy: Policy, now: datetime) -> Verdict:
    if policy.on_uncertain is OnUncertain.HOLD:
        return Verdict(state=State.HELD, reason=reason)
    return replace(again_or_dead(reason, timedelta(), lookup.attempt, policy, now), may_be_repeat=True)
