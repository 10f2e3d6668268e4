from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

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
from watcher.core.event import Event, Kind
from watcher.core.routing.fallback import NotAnnounced, nobody, redirected
from watcher.core.routing.routes import NO_ROUTE, Recipient, RoutingDecision

NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
REFUSES = ReceiverSignal(health=SignalKind.REFUSES, reason="no_service", answer="404 no_service")
PASSES = ReceiverSignal(health=SignalKind.PASSES)
WELL = ReceiverState(name="ml/ops")
PARKED = ReceiverState(name="ml/ops", seq=1, failing_since=NOW, reason="no_service")


def about(name: str = "a") -> Event:
    event = state_change(ReceiverState(name=name), REFUSES, 1, "e", NOW)[1]
    assert event is not None
    return event


def going_to(*names: str) -> RoutingDecision:
    return RoutingDecision(to=tuple(Recipient(receiver=name) for name in names), reason="route 1")


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
def test_only_a_refusal_permanently_and_a_delivery_say_something_of_the_receiver(
    outcome: Outcome, health: SignalKind | None
) -> None:
    signal = signal_of(outcome)
    assert (None if signal is None else signal.health) is health


def test_the_first_refusal_parks_and_is_announced_and_a_further_one_only_renews_the_reason() -> None:
    parked, event = state_change(WELL, REFUSES, 3, "e", NOW)
    assert event is not None
    assert (event.kind, event.type, event.subject) == (
        Kind.RECEIVER_FAILING,
        "receiver.failing",
        "receiver:ml%2Fops",
    )
    assert (event.account, (event.receiver or {})["waiting"]) == (None, 3)
    assert (parked.failing_since, parked.seq) == (NOW, 1)
    again, silent = state_change(parked, replace(REFUSES, reason="no_team"), 3, "e", NOW + timedelta(hours=1))
    assert silent is None
    assert (again.failing_since, again.reason) == (NOW, "no_team")


def test_what_passes_again_is_announced_with_how_long_it_did_not() -> None:
    well, event = state_change(PARKED, PASSES, 0, "e", NOW + timedelta(hours=2))
    assert event is not None
    assert (event.kind, event.seq) == (Kind.RECEIVER_RECOVERED, 2)
    assert (event.receiver or {})["lasted_seconds"] == 7200.0
    assert well == ReceiverState(name="ml/ops", seq=2)


def test_what_passes_and_always_did_is_no_news() -> None:
    assert state_change(WELL, PASSES, 0, "e", NOW) == (WELL, None)


def test_a_clock_that_was_set_back_makes_no_bounds_turned_round() -> None:
    _, event = state_change(PARKED, PASSES, 0, "e", NOW - timedelta(hours=2))
    assert event is not None
    assert event.after <= event.before


def test_a_storm_of_dead_letters_is_one_event_that_counts_all_and_names_some() -> None:
    dead_letters = [DeadLetter(id=f"msg_{n}", reason="http 503", about="", created_at=NOW) for n in range(200)]
    _, event = undelivered(WELL, dead_letters, "e", NOW + timedelta(days=3))
    facts = event.receiver or {}
    assert facts["count"] == 200
    assert len(facts["deliveries"]) == DEAD_LETTERS_MAX  # type: ignore[arg-type]  # a list
    assert event.type == "receiver.undelivered"


@pytest.mark.parametrize(
    ("to", "failing_receivers", "goes_to", "unannounced"),
    [
        (("a", "b"), {"a"}, ("b",), None),
        (("a",), {"a"}, ("b",), None),
        (("a",), {"a", "b"}, ("c",), None),
        (("a", "b"), {"a", "b"}, ("b", "c"), None),
        (("a",), {"a", "b", "c"}, (), NotAnnounced.ALL_FAILING),
        (("b",), set(), ("b",), None),
    ],
)
def test_nobody_is_notified_about_himself_and_somebody_whose_messages_pass_is_found(
    to: tuple[str, ...], failing_receivers: set[str], goes_to: tuple[str, ...], unannounced: NotAnnounced | None
) -> None:
    plan = redirected(going_to(*to), about(), ("a", "b", "c"), frozenset(failing_receivers))
    assert (plan.receivers, nobody(plan)) == (goes_to, unannounced)


def test_a_receiver_that_is_alone_leaves_nobody_and_the_plan_says_so() -> None:
    plan = redirected(going_to("a"), about(), ("a",), frozenset({"a"}))
    assert (plan.to, plan.reason) == ((), "route 1; nobody: no-other-receiver")


def test_what_a_route_drops_on_purpose_stays_dropped_and_what_no_route_names_finds_somebody() -> None:
    dropped = RoutingDecision(to=(), reason="route 1")
    assert redirected(dropped, about(), ("a", "b"), frozenset()) is dropped
    assert redirected(RoutingDecision(to=(), reason=NO_ROUTE), about(), ("a", "b"), frozenset()).receivers == ("b",)


@pytest.mark.parametrize(("began_after_seconds", "kinds"), [(-1, []), (0, [Kind.RECEIVER_RECOVERED])])
def test_what_was_found_by_looking_up_recovers_a_receiver_if_it_was_sent_since(
    began_after_seconds: int, kinds: list[Kind]
) -> None:
    signal = signal_of(MessageFound(receipt="1.2"), NOW + timedelta(seconds=began_after_seconds))
    assert signal is not None
    _, event = state_change(PARKED, signal, 0, "e", NOW + timedelta(hours=1))
    assert ([] if event is None else [event.kind]) == kinds
