"""The state of a receiver, and the events about it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tests.support.event_facts import receiver_of
from watcher.core.delivery.facts import Remedy, RemedyCode, WaitingEventFacts
from watcher.core.delivery.lookup import LookupFailed, LookupResult, MessageFound, MessageNotFound
from watcher.core.delivery.model import (
    Degrade,
    Delivered,
    Outcome,
    ReceiverSignal,
    RefusalScope,
    Refused,
    SignalKind,
    TryLater,
    Uncertain,
)
from watcher.core.delivery.reason import RECEIVER_REMOVED, Reason, text_reason
from watcher.core.delivery.receiver_health import (
    DEAD_LETTERS_MAX,
    DeadLetter,
    Waiting,
    failing,
    signal_of,
    state_change,
    undelivered,
)
from watcher.core.delivery.receiver_state import ReceiverState
from watcher.core.event import Kind
from watcher.core.messages.reasons import reason_text

NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
REFUSES = ReceiverSignal(health=SignalKind.REFUSES, reason=text_reason("no_service"), answer="404 no_service")
PASSES = ReceiverSignal(health=SignalKind.PASSES)
WORKING = ReceiverState(name="ml/ops")
PARKED = ReceiverState(name="ml/ops", seq=1, failing_since=NOW, parked=True, reason=text_reason("no_service"))
FAILS = ReceiverSignal(health=SignalKind.FAILS, reason=text_reason("http 503"), began_at=NOW)


def dead_letters(count: int) -> list[DeadLetter]:
    return [DeadLetter(id=f"msg_{n}", reason=text_reason("http 503"), created_at=NOW) for n in range(count)]


@pytest.mark.parametrize(
    ("outcome", "health"),
    [
        (Delivered(), SignalKind.PASSES),
        (Refused(reason=text_reason("x")), SignalKind.REFUSES),
        (Refused(reason=text_reason("x"), scope=RefusalScope.MESSAGE), None),
        (Refused(reason=text_reason("x"), tries=4), SignalKind.FAILS),
        (TryLater(reason=text_reason("x")), SignalKind.FAILS),
        (TryLater(reason=text_reason("x"), throttled=True), SignalKind.FAILS),
        (Uncertain(reason=text_reason("x")), SignalKind.FAILS),
        (LookupFailed(reason=text_reason("x")), SignalKind.FAILS),
        (MessageNotFound(), None),
        (Degrade(reason=text_reason("x")), None),
    ],
)
def test_an_outcome_is_a_signal_about_the_receiver_unless_it_concerns_the_message(
    outcome: Outcome | LookupResult, health: SignalKind | None
) -> None:
    signal = signal_of(outcome)
    assert (None if signal is None else signal.health) is health


def test_the_first_refusal_is_announced_and_a_further_one_only_updates_the_reason() -> None:
    parked, event = state_change(WORKING, REFUSES, Waiting(count=3), "e", NOW)
    assert event is not None
    assert (event.kind, event.type, event.subject) == (
        Kind.RECEIVER_FAILING,
        "receiver.failing",
        "receiver:ml%2Fops",
    )
    assert (event.account, receiver_of(event).waiting) == (None, 3)
    assert (parked.failing_since, parked.seq) == (NOW, 1)
    again, silent = state_change(
        parked, replace(REFUSES, reason=text_reason("no_team")), Waiting(count=3), "e", NOW + timedelta(hours=1)
    )
    assert silent is None
    assert (again.failing_since, reason_text(again.reason)) == (NOW, "no_team")


@pytest.mark.parametrize(
    ("reason", "code"), [(text_reason("no_service"), RemedyCode.PARKED), (RECEIVER_REMOVED, RemedyCode.REMOVED)]
)
def test_the_remedy_is_a_code_that_follows_from_the_reason(reason: Reason, code: RemedyCode) -> None:
    _, event = state_change(WORKING, replace(REFUSES, reason=reason), Waiting(count=1), "e", NOW)
    assert event is not None
    assert receiver_of(event).remedy == Remedy(code=code)


def test_the_remedy_of_dead_letters_names_the_only_one() -> None:
    _, one = undelivered(WORKING, dead_letters(1), "e", NOW)
    _, several = undelivered(WORKING, dead_letters(2), "e", NOW)
    assert receiver_of(one).remedy == Remedy(code=RemedyCode.RETRY, delivery_id="msg_0")
    assert receiver_of(several).remedy == Remedy(code=RemedyCode.RETRY)


def test_a_recovery_is_announced_with_the_duration_of_the_failure() -> None:
    working, event = state_change(PARKED, PASSES, Waiting(count=0), "e", NOW + timedelta(hours=2))
    assert event is not None
    assert (event.kind, event.seq) == (Kind.RECEIVER_RECOVERED, 2)
    assert (receiver_of(event).lasted_seconds, receiver_of(event).remedy) == (7200.0, None)
    assert working == ReceiverState(name="ml/ops", seq=2)


def test_a_success_of_a_working_receiver_is_no_news() -> None:
    assert state_change(WORKING, PASSES, Waiting(count=0), "e", NOW) == (WORKING, None)


def test_a_clock_that_was_set_back_does_not_reverse_the_bounds() -> None:
    _, event = state_change(PARKED, PASSES, Waiting(count=0), "e", NOW - timedelta(hours=2))
    assert event is not None
    assert event.after <= event.before


def test_a_failed_attempt_is_remembered_without_an_event_until_the_next_success() -> None:
    troubled, event = state_change(WORKING, FAILS, Waiting(count=1), "e", NOW + timedelta(seconds=20))
    assert (troubled.troubled_since, troubled.failing_since, event) == (NOW, None, None)
    later = replace(FAILS, began_at=NOW + timedelta(hours=1), reason=text_reason("dns"))
    again, event = state_change(troubled, later, Waiting(count=1), "e", NOW + timedelta(hours=1))
    assert (again.troubled_since, reason_text(again.reason), event) == (NOW, "dns", None)
    assert state_change(again, PASSES, Waiting(), "e", NOW + timedelta(hours=2)) == (WORKING, None)


TROUBLED = ReceiverState(name="ml/ops", seq=1, troubled_since=NOW, reason=text_reason("http 500"))
FAILING = replace(TROUBLED, failing_since=NOW)


@pytest.mark.parametrize("before", [TROUBLED, FAILING, PARKED])
def test_a_success_ends_no_failure_while_an_urgent_delivery_that_has_failed_waits(before: ReceiverState) -> None:
    since = NOW + timedelta(minutes=3)
    later = NOW + timedelta(hours=1)
    after, event = state_change(before, PASSES, Waiting(count=1, urgent_since=since), "e", later)
    assert event is None
    assert after == replace(before, troubled_since=since, parked=False)
    assert state_change(after, PASSES, Waiting(count=1, urgent_since=since), "e", later) == (after, None)
    working, _ = state_change(after, PASSES, Waiting(count=1), "e", later)
    assert (working.failing_since, working.troubled_since) == (None, None)


def test_a_failure_without_a_refusal_is_announced_with_its_own_remedy_and_parks_nothing() -> None:
    troubled, _ = state_change(WORKING, FAILS, Waiting(count=1), "e", NOW)
    urgent = tuple(WaitingEventFacts(id=f"evt_{number}") for number in range(12))
    after, event = failing(troubled, Waiting(count=12, urgent=urgent), "e", NOW + timedelta(minutes=15), NOW)
    facts = receiver_of(event)
    assert (after.failing_since, after.parked) == (NOW, False)
    assert (facts.remedy, reason_text(facts.reason), facts.waiting) == (Remedy(code=RemedyCode.FAILING), "http 503", 12)
    assert facts.urgent == urgent[:10]
    parked, silent = state_change(after, REFUSES, Waiting(count=12), "e", NOW + timedelta(hours=1))
    assert (parked.parked, parked.failing_since, silent) == (True, NOW, None)


def test_many_dead_letters_are_one_event_that_counts_all_and_names_some() -> None:
    _, event = undelivered(WORKING, dead_letters(200), "e", NOW + timedelta(days=3))
    facts = receiver_of(event)
    assert facts.count == 200
    assert len(facts.deliveries) == DEAD_LETTERS_MAX
    assert event.type == "receiver.undelivered"


@pytest.mark.parametrize(("began_after_seconds", "kinds"), [(-1, []), (0, [Kind.RECEIVER_RECOVERED])])
def test_a_message_that_a_lookup_finds_ends_a_failure_only_if_it_was_sent_after_its_start(
    began_after_seconds: int, kinds: list[Kind]
) -> None:
    signal = signal_of(MessageFound(receipt="1.2"), NOW + timedelta(seconds=began_after_seconds))
    assert signal is not None
    _, event = state_change(PARKED, signal, Waiting(count=0), "e", NOW + timedelta(hours=1))
    assert ([] if event is None else [event.kind]) == kinds
