"""The verdict after an attempt's outcome."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watcher.core.delivery.model import (
    MAX_RETRY_AFTER_SECONDS,
    PARKED_RETRY,
    TRIES,
    Attempt,
    Dedup,
    Degrade,
    Delivered,
    Outcome,
    Policy,
    RefusalScope,
    Refused,
    TryLater,
    Uncertain,
    Verdict,
    retry_wait,
    verdict,
)
from watcher.core.delivery.reason import DELIVERED, Context, text_reason
from watcher.core.delivery.state import OnUncertain, State
from watcher.core.messages.reasons import reason_text

NOW = datetime(2026, 11, 23, tzinfo=UTC)
POLICY = Policy()


def judge(
    outcome: Outcome,
    *,
    number: int = 1,
    age: timedelta = timedelta(),
    dedup: Dedup = Dedup.UNKNOWN,
    policy: Policy = POLICY,
) -> Verdict:
    attempt = Attempt(number=number, allowed_at=NOW - age, dedup=dedup)
    return verdict(outcome, attempt, policy, NOW, 0.5)


def test_a_delivered_message_has_ended() -> None:
    assert judge(Delivered()) == Verdict(state=State.DELIVERED, reason=DELIVERED)


def test_a_message_that_was_not_delivered_waits_and_is_no_repeat() -> None:
    decided = judge(TryLater(reason=text_reason("connect")))
    assert (decided.state, reason_text(decided.reason), decided.may_be_repeat) == (State.PENDING, "connect", False)
    assert decided.next_at is not None
    assert NOW < decided.next_at <= NOW + POLICY.first_retry


@pytest.mark.parametrize(("requested", "wait"), [(7.0, 7.0), (-5.0, 0.0), (1e9, MAX_RETRY_AFTER_SECONDS)])
def test_the_receivers_requested_wait_takes_precedence_within_limits(requested: float, wait: float) -> None:
    assert judge(TryLater(reason=text_reason("rate"), after_seconds=requested)).next_at == NOW + timedelta(seconds=wait)


def test_an_uncertain_message_is_repeated_and_says_so_where_no_id_marks_repeats() -> None:
    assert judge(Uncertain(reason=text_reason("reset"))).may_be_repeat
    assert not judge(Uncertain(reason=text_reason("reset")), dedup=Dedup.BY_ID).may_be_repeat


def test_an_uncertain_message_is_held_where_the_policy_says_hold() -> None:
    hold = Policy(on_uncertain=OnUncertain.HOLD)
    # Where an operator sends it again, the message says that it may be a repeat.
    held = Verdict(state=State.HELD, reason=text_reason("reset"), may_be_repeat=True)
    assert judge(Uncertain(reason=text_reason("reset")), policy=hold) == held
    assert judge(Uncertain(reason=text_reason("reset")), policy=hold, dedup=Dedup.BY_ID).state is State.PENDING


def test_refused_content_is_simplified_and_sent_at_once() -> None:
    decided = judge(Degrade(reason=text_reason("invalid_blocks")))
    assert (decided.state, decided.next_at, decided.degrade) == (State.PENDING, NOW, 1)


def test_a_refusing_receiver_is_tried_hourly() -> None:
    assert judge(Refused(reason=text_reason("no_service"))).next_at == NOW + timedelta(hours=1)


def test_a_refusal_that_one_answer_does_not_prove_is_tried_three_times_within_two_minutes() -> None:
    for policy in (POLICY, Policy(first_retry=timedelta(minutes=30)), Policy(first_retry=timedelta(seconds=0.1))):
        waited = timedelta()
        for refusals in range(1, TRIES):
            attempt = Attempt(number=9, allowed_at=NOW, dedup=Dedup.BY_ID, refusals=refusals)
            decided = verdict(Refused(reason=text_reason("http 404"), tries=TRIES), attempt, policy, NOW, 0.999)
            assert decided.state is State.PENDING
            assert decided.next_at is not None
            waited += decided.next_at - NOW
        assert timedelta() < waited < timedelta(minutes=1, seconds=30)
        last = Attempt(number=9, allowed_at=NOW, dedup=Dedup.BY_ID, refusals=TRIES)
        assert (
            verdict(Refused(reason=text_reason("http 404"), tries=TRIES), last, policy, NOW, 0.5).next_at
            == NOW + PARKED_RETRY
        )


def test_a_message_that_is_refused_permanently_is_dead_at_once() -> None:
    assert judge(Refused(reason=text_reason("bug"), scope=RefusalScope.MESSAGE)).state is State.DEAD


@pytest.mark.parametrize(
    "outcome",
    [TryLater(reason=text_reason("dns")), Uncertain(reason=text_reason("reset")), Refused(reason=text_reason("gone"))],
)
def test_a_delivery_is_dead_at_the_age_limit_and_not_before(outcome: Outcome) -> None:
    expired = judge(outcome, age=POLICY.give_up_after)
    assert (expired.state, expired.reason.within) == (State.DEAD, (Context.EXPIRED,))
    nearly = judge(outcome, age=POLICY.give_up_after - timedelta(seconds=1), number=99)
    assert (nearly.state, nearly.next_at) == (State.PENDING, NOW + timedelta(seconds=1))


@given(st.integers(1, 10_000), st.floats(0, 1, exclude_max=True))
def test_waits_double_within_their_limits_for_any_number_of_attempts(number: int, unit: float) -> None:
    wait = retry_wait(number, POLICY, unit)
    longest = min(POLICY.first_retry * 2 ** min(number - 1, 20), POLICY.max_retry)
    assert longest / 2 <= wait <= longest


def test_an_uncertain_message_that_can_be_looked_up_waits_for_the_lookup() -> None:
    for policy in (POLICY, Policy(on_uncertain=OnUncertain.HOLD)):
        decided = judge(Uncertain(reason=text_reason("reset")), number=7, dedup=Dedup.BY_LOOKUP, policy=policy)
        assert (decided.state, decided.next_at) == (State.UNCERTAIN, NOW + policy.first_retry)
        assert decided.may_be_repeat
        assert not decided.certain


def test_a_rate_limited_attempt_does_not_lengthen_later_waits() -> None:
    assert judge(TryLater(reason=text_reason("rate_limited"), throttled=True)).uncounted
    assert not judge(TryLater(reason=text_reason("connect"))).uncounted
