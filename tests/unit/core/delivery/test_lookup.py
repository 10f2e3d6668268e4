"""What follows from looking up a delivery whose attempt had no answer."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from watcher.core.delivery.lookup import (
    Found,
    Lookup,
    LookupResult,
    NotAllowed,
    NotFound,
    Unanswered,
    after_lookup,
    first_lookup_at,
)
from watcher.core.delivery.model import Attempt, Dedup, OnUncertain, Policy, State, Verdict

NOW = datetime(2026, 11, 23, tzinfo=UTC)
POLICY = Policy()
HOLD = Policy(on_uncertain=OnUncertain.HOLD)
SOON = POLICY.first_retry


def judge(
    result: LookupResult, *, policy: Policy = POLICY, number: int = 1, age: timedelta = SOON, **facts: Any
) -> Verdict:
    attempt = Attempt(number=number, created_at=NOW - age, dedup=Dedup.BY_LOOKUP)
    usual: dict[str, Any] = {"attempt": attempt, "attempted_at": NOW - age, "due_at": NOW, "lookups": 0}
    return after_lookup(result, Lookup(**(usual | facts)), policy, NOW, 0.0)


def test_found_once_is_found() -> None:
    for lookups in (0, 1):
        assert judge(Found(receipt="1.2"), lookups=lookups) == Verdict(state=State.DELIVERED, reason="found")


def test_not_found_once_is_looked_up_again_after_twice_the_first_wait() -> None:
    decided = judge(NotFound())
    assert (decided.state, decided.next_at, decided.lookups) == (State.UNCERTAIN, NOW + 2 * SOON, 1)


@pytest.mark.parametrize("policy", [POLICY, HOLD])
def test_not_found_twice_is_sent_again_and_is_no_repeat(policy: Policy) -> None:
    decided = judge(NotFound(), lookups=1, age=3 * SOON, policy=policy)
    assert (decided.state, decided.next_at, decided.lookups) == (State.PENDING, NOW, 0)
    assert decided.certain
    assert not decided.may_be_repeat


def test_sending_again_and_again_waits_as_long_as_after_any_failure() -> None:
    decided = judge(NotFound(), lookups=1, age=3 * SOON, number=6)
    assert decided.next_at == NOW + 16 * SOON - 3 * SOON


def test_a_poll_before_its_time_can_only_find() -> None:
    decided = judge(NotFound(), lookups=1, due_at=NOW + SOON)
    assert (decided.state, decided.next_at, decided.lookups) == (State.UNCERTAIN, NOW + SOON, 1)


@pytest.mark.parametrize(("unanswered", "wait"), [(1, SOON / 2), (3, 2 * SOON)])
def test_who_cannot_be_asked_now_is_asked_later_with_growing_waits(unanswered: int, wait: timedelta) -> None:
    decided = judge(Unanswered(reason="http 500"), lookups=1, unanswered=unanswered)
    assert (decided.state, decided.next_at, decided.lookups) == (State.UNCERTAIN, NOW + wait, 1)


def test_the_receivers_own_wish_goes_first() -> None:
    assert judge(Unanswered(reason="ratelimited", after_seconds=30.0)).next_at == NOW + timedelta(seconds=30)


def test_who_may_not_be_asked_leaves_it_to_the_policy() -> None:
    again = judge(NotAllowed(reason="missing_scope"))
    assert (again.state, again.next_at, again.may_be_repeat) == (State.PENDING, NOW, True)
    assert not again.certain
    held = judge(NotAllowed(reason="missing_scope"), policy=HOLD)
    assert (held.state, held.reason) == (State.HELD, "may not look it up: missing_scope")


@pytest.mark.parametrize(
    "result", [NotFound(), Unanswered(reason="http 500"), NotAllowed(reason="missing_scope")], ids=str
)
@pytest.mark.parametrize("lookups", [0, 1])
def test_what_is_too_old_is_expired(result: LookupResult, lookups: int) -> None:
    assert judge(result, age=POLICY.give_up_after, lookups=lookups).state is State.DEAD


def test_nothing_is_looked_up_while_it_may_still_travel() -> None:
    assert first_lookup_at(NOW - SOON, POLICY, NOW) == NOW
    assert first_lookup_at(NOW, POLICY, NOW) == NOW + SOON


def test_an_attempt_in_the_future_is_not_waited_for() -> None:
    assert first_lookup_at(NOW + timedelta(days=9), POLICY, NOW) == NOW + SOON
