"""The receivers that are notified about another receiver."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from watcher.core.delivery.model import ReceiverSignal, SignalKind
from watcher.core.delivery.reason import text_reason
from watcher.core.delivery.receiver_health import Waiting, state_change
from watcher.core.delivery.receiver_state import ReceiverState
from watcher.core.event import Event
from watcher.core.routing.fallback import redirected
from watcher.core.routing.reason import NO_ROUTE, NotAnnounced, RoutingCode, routed
from watcher.core.routing.routes import Recipient, RoutingDecision

NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
REFUSES = ReceiverSignal(health=SignalKind.REFUSES, reason=text_reason("no_service"))


def about(name: str = "a") -> Event:
    event = state_change(ReceiverState(name=name), REFUSES, Waiting(count=1), "e", NOW)[1]
    assert event is not None
    return event


def going_to(*names: str) -> RoutingDecision:
    return RoutingDecision(to=tuple(Recipient(receiver=name) for name in names), reason=routed(1))


@pytest.mark.parametrize(
    ("to", "failing_receivers", "goes_to", "not_announced"),
    [
        (("a", "b"), {"a"}, ("b",), None),
        (("a",), {"a"}, ("b",), None),
        (("a",), {"a", "b"}, ("c",), None),
        (("a", "b"), {"a", "b"}, ("b", "c"), None),
        (("a",), {"a", "b", "c"}, (), NotAnnounced.ALL_FAILING),
        (("b",), set(), ("b",), None),
    ],
)
def test_a_working_receiver_is_notified_and_never_the_one_that_the_event_is_about(
    to: tuple[str, ...], failing_receivers: set[str], goes_to: tuple[str, ...], not_announced: NotAnnounced | None
) -> None:
    decision = redirected(going_to(*to), about(), ("a", "b", "c"), frozenset(failing_receivers))
    assert (decision.receivers, decision.reason.not_announced) == (goes_to, not_announced)


def test_an_added_receiver_stands_in_the_reason() -> None:
    decision = redirected(going_to("a"), about(), ("a", "b"), frozenset({"a"}))
    assert decision.reason == replace(routed(1), stand_in="b", stands_in_for="a")


def test_without_another_receiver_no_receiver_is_notified_and_the_reason_has_the_code() -> None:
    decision = redirected(going_to("a"), about(), ("a",), frozenset({"a"}))
    assert (decision.to, decision.reason) == ((), replace(routed(1), not_announced=NotAnnounced.NO_OTHER))


def test_an_event_that_a_route_drops_stays_dropped_and_an_event_without_a_route_gets_a_receiver() -> None:
    dropped = RoutingDecision(to=(), reason=replace(routed(1), code=RoutingCode.DROPPED))
    assert redirected(dropped, about(), ("a", "b"), frozenset()) is dropped
    assert redirected(RoutingDecision(to=(), reason=NO_ROUTE), about(), ("a", "b"), frozenset()).receivers == ("b",)
