"""The verdict after a lookup of a delivery whose attempt had no answer."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from watcher.core.delivery.lookup import (
    Lookup,
    LookupDenied,
    LookupFailed,
    LookupResult,
    MessageFound,
    MessageNotFound,
    after_lookup,
    first_lookup_at,
)
from watcher.core.delivery.model import Attempt, Dedup, Policy, Verdict
from watcher.core.delivery.reason import Reason, ReasonCode, text_reason
from watcher.core.delivery.state import OnUncertain, State
from watcher.core.messages.reasons import reason_text

NOW = datetime(2026, 11, 23, tzinfo=UTC)
POLICY = Policy()
HOLD = Policy(on_uncertain=OnUncertain.HOLD)
SOON = POLICY.first_retry


def judge(
    result: LookupResult, *, policy: Policy = POLICY, number: int = 1, age: timedelta = SOON, **facts: Any
) -> Verdict:
    attempt = Attempt(number=number, allowed_at=NOW - age, dedup=Dedup.BY_LOOKUP)
    usual: dict[str, Any] = {"attempt": attempt, "attempted_at": NOW - age, "due_at": NOW, "lookups": 0}
    return after_lookup(result, Lookup(**(usual | facts)), policy, NOW, 0.0)


def test_a_message_found_once_is_delivered() -> None:
    for lookups in (0, 1):
        assert judge(MessageFound(receipt="1.2"), lookups=lookups) == Verdict(
            state=State.DELIVERED, reason=Reason(code=ReasonCode.FOUND)
        )


def test_a_message_not_found_once_is_looked_up_again_after_twice_the_first_wait() -> None:
    decided = judge(MessageNotFound())
    assert (decided.state, decided.next_at, decided.lookups) == (State.UNCERTAIN, NOW + 2 * SOON, 1)


@pytest.mark.parametrize("policy", [POLICY, HOLD])
def test_a_message_not_found_twice_is_sent_again_and_is_no_repeat(policy: Policy) -> None:
    decided = judge(MessageNotFound(), lookups=1, age=3 * SOON, policy=policy)
    assert (decided.state, decided.next_at, decided.lookups) == (State.PENDING, NOW, 0)
    assert decided.certain
    assert not decided.may_be_repeat


def test_retries_after_lookups_wait_as_long_as_after_any_failure() -> None:
    decided = judge(MessageNotFound(), lookups=1, age=3 * SOON, number=6)
    assert decided.next_at == NOW + 16 * SOON - 3 * SOON


def test_an_early_lookup_can_only_find_the_message() -> None:
    decided = judge(MessageNotFound(), lookups=1, due_at=NOW + SOON)
    assert (decided.state, decided.next_at, decided.lookups) == (State.UNCERTAIN, NOW + SOON, 1)


@pytest.mark.parametrize(("unanswered", "wait"), [(1, SOON / 2), (3, 2 * SOON)])
def test_a_failed_lookup_is_repeated_with_growing_waits(unanswered: int, wait: timedelta) -> None:
    decided = judge(LookupFailed(reason=text_reason("http 500")), lookups=1, unanswered=unanswered)
    assert (decided.state, decided.next_at, decided.lookups) == (State.UNCERTAIN, NOW + wait, 1)


def test_the_receivers_requested_wait_takes_precedence() -> None:
    assert judge(LookupFailed(reason=text_reason("ratelimited"), after_seconds=30.0)).next_at == NOW + timedelta(
        seconds=30
    )


def test_without_permission_for_lookups_the_policy_decides() -> None:
    again = judge(LookupDenied(reason=text_reason("missing_scope")))
    assert (again.state, again.next_at, again.may_be_repeat) == (State.PENDING, NOW, True)
    assert not again.certain
    held = judge(LookupDenied(reason=text_reason("missing_scope")), policy=HOLD)
    assert (held.state, reason_text(held.reason)) == (State.HELD, "lookup not allowed: missing_scope")


@pytest.mark.parametrize(
    "result",
    [
        MessageNotFound(),
        LookupFailed(reason=text_reason("http 500")),
        LookupDenied(reason=text_reason("missing_scope")),
    ],
    ids=str,
)
@pytest.mark.parametrize("lookups", [0, 1])
def test_a_delivery_that_is_too_old_expires(result: LookupResult, lookups: int) -> None:
    assert judge(result, age=POLICY.give_up_after, lookups=lookups).state is State.DEAD


def test_no_lookup_happens_while_the_message_may_still_arrive() -> None:
    assert first_lookup_at(NOW - SOON, POLICY, NOW) == NOW
    assert first_lookup_at(NOW, POLICY, NOW) == NOW + SOON


def test_an_attempt_in_the_future_does_not_delay_its_lookup() -> None:
    assert first_lookup_at(NOW + timedelta(days=9), POLICY, NOW) == NOW + SOON
