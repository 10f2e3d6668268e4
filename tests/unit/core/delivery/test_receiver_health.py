"""The state of a receiver, and the events about it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tests.support.event_facts import receiver_of
from watcher.core.delivery.facts import RECEIVER_REMOVED, Remedy, RemedyCode
from watcher.core.delivery.lookup import MessageFound
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
from watcher.core.delivery.receiver_health import (
    DEAD_LETTERS_MAX,
    DeadLetter,
    ReceiverState,
    signal_of,
    state_change,
    undelivered,
)
from watcher.core.event import Kind

NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
REFUSES = ReceiverSignal(health=SignalKind.REFUSES, reason="no_service", answer="404 no_service")
PASSES = ReceiverSignal(health=SignalKind.PASSES)
WORKING = ReceiverState(name="ml/ops")
PARKED = ReceiverState(name="ml/ops", seq=1, failing_since=NOW, reason="no_service")


def dead_letters(count: int) -> list[DeadLetter]:
    return [DeadLetter(id=f"msg_{n}", reason="http 503", about="", created_at=NOW) for n in range(count)]


@pytest.mark.parametrize(
    ("outcome", "health"),
    [
        (Delivered(), SignalKind.PASSES),
        (Refused(reason="x"), SignalKind.REFUSES),
        (Refused(reason="x", scope=RefusalScope.MESSAGE), None),
        (TryLater(reason="x"), None),
        (Uncertain(reason="x"), None),
        (Degrade(reason="x"), None),
    ],
)
def test_only_a_delivery_and_a_permanent_refusal_are_signals_about_the_receiver(
    outcome: Outcome, health: SignalKind | None
) -> None:
    signal = signal_of(outcome)
    assert (None if signal is None else signal.health) is health


def test_the_first_refusal_is_announced_and_a_further_one_only_updates_the_reason() -> None:
    parked, event = state_change(WORKING, REFUSES, 3, "e", NOW)
    assert event is not None
    assert (event.kind, event.type, event.subject) == (
        Kind.RECEIVER_FAILING,
        "receiver.failing",
        "receiver:ml%2Fops",
    )
    assert (event.account, receiver_of(event).waiting) == (None, 3)
    assert (parked.failing_since, parked.seq) == (NOW, 1)
    again, silent = state_change(parked, replace(REFUSES, reason="no_team"), 3, "e", NOW + timedelta(hours=1))
    assert silent is None
    assert (again.failing_since, again.reason) == (NOW, "no_team")


@pytest.mark.parametrize(
    ("reason", "code"), [("no_service", RemedyCode.PARKED), (RECEIVER_REMOVED, RemedyCode.REMOVED)]
)
def test_the_remedy_is_a_code_that_follows_from_the_reason(reason: str, code: RemedyCode) -> None:
    _, event = state_change(WORKING, replace(REFUSES, reason=reason), 1, "e", NOW)
    assert event is not None
    assert receiver_of(event).remedy == Remedy(code=code)


def test_the_remedy_of_dead_letters_names_the_only_one() -> None:
    _, one = undelivered(WORKING, dead_letters(1), "e", NOW)
    _, several = undelivered(WORKING, dead_letters(2), "e", NOW)
    assert receiver_of(one).remedy == Remedy(code=RemedyCode.RETRY, delivery_id="msg_0")
    assert receiver_of(several).remedy == Remedy(code=RemedyCode.RETRY)


def test_a_recovery_is_announced_with_the_duration_of_the_failure() -> None:
    working, event = state_change(PARKED, PASSES, 0, "e", NOW + timedelta(hours=2))
    assert event is not None
    assert (event.kind, event.seq) == (Kind.RECEIVER_RECOVERED, 2)
    assert (receiver_of(event).lasted_seconds, receiver_of(event).remedy) == (7200.0, None)
    assert working == ReceiverState(name="ml/ops", seq=2)


def test_a_success_of_a_working_receiver_is_no_news() -> None:
    assert state_change(WORKING, PASSES, 0, "e", NOW) == (WORKING, None)


def test_a_clock_that_was_set_back_does_not_reverse_the_bounds() -> None:
    _, event = state_change(PARKED, PASSES, 0, "e", NOW - timedelta(hours=2))
    assert event is not None
    assert event.after <= event.before


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
    _, event = state_change(PARKED, signal, 0, "e", NOW + timedelta(hours=1))
    assert ([] if event is None else [event.kind]) == kinds
