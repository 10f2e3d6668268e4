"""The receivers and groups of an event."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watcher.core.event import DEFAULT_KINDS, URGENT_KINDS, Event, IncidentFacts, Kind
from watcher.core.routing.matcher import Matcher
from watcher.core.routing.reason import NO_ROUTE, RoutingCode, routed
from watcher.core.routing.routes import MENTIONS_MAX, Group, Route, merge_mentions, route_event

TIME = datetime(2026, 11, 23, tzinfo=UTC)


def event(kind: Kind) -> Event:
    return Event(
        id="evt_x",
        kind=kind,
        subject="training:main/s/pop/v",
        seq=1,
        reason="ended",
        account="main",
        service="s",
        training_type="pop",
        version="v",
        from_status="a",
        to_status="b",
        after=TIME,
        before=TIME,
        recorded_at=TIME,
    )


EVERY_KIND = Matcher(kinds=frozenset({"*"}))


def of(*kinds: str) -> Matcher:
    return Matcher(kinds=frozenset(kinds))


def group_of(announced: Event, *routes: Route, recent: int = 1, flap_limit: int = 10) -> Group | None:
    (recipient,) = route_event(announced, routes, recent, flap_limit).to
    return recipient.group


@pytest.mark.parametrize("kind", list(Kind))
def test_a_route_without_kinds_takes_the_default_kinds_only(kind: Kind) -> None:
    decision = route_event(event(kind), (Route(number=1, to=("a",)),))
    assert decision.receivers == (("a",) if kind in DEFAULT_KINDS else ())


@pytest.mark.parametrize("kind", list(Kind))
def test_a_star_takes_every_kind(kind: Kind) -> None:
    assert route_event(event(kind), (Route(number=1, match=EVERY_KIND, to=("a",)),)).receivers == ("a",)


def test_the_first_route_that_matches_wins() -> None:
    routes = (Route(number=1, match=of("failed"), to=("a",)), Route(number=2, to=("b",)))
    assert route_event(event(Kind.FAILED), routes).reason == routed(1)
    assert route_event(event(Kind.SUCCEEDED), routes).receivers == ("b",)


def test_a_receiver_named_twice_is_notified_once() -> None:
    assert route_event(event(Kind.FAILED), (Route(number=1, to=("a", "b", "a")),)).receivers == ("a", "b")


def test_a_route_without_receivers_drops_on_purpose_and_is_named() -> None:
    routes = (Route(number=1, to=()), Route(number=2, to=("a",)))
    decision = route_event(event(Kind.FAILED), routes)
    assert (decision.to, decision.reason) == ((), replace(routed(1), code=RoutingCode.DROPPED))


def test_a_kind_without_a_route_has_no_receivers_and_a_reason() -> None:
    decision = route_event(event(Kind.PROGRESS), (Route(number=1, to=("a",)),))
    assert (decision.to, decision.reason) == ((), NO_ROUTE)


def test_with_continue_the_first_route_of_a_receiver_decides_and_the_reason_names_all_routes() -> None:
    routes = (
        Route(number=1, match=of("failed"), to=("a", "b"), continues=True, mentions=("<!here>",)),
        Route(number=2, match=of("gone"), to=("d",), continues=True),
        Route(number=3, to=("b", "c"), mentions=("<@U1>",)),
        Route(number=4, match=EVERY_KIND, to=("e",)),
    )
    decision = route_event(event(Kind.FAILED), routes)
    assert decision.receivers == ("a", "b", "c")
    assert [recipient.mentions for recipient in decision.to] == [("<!here>",), ("<!here>",), ("<@U1>",)]
    assert decision.reason == routed(1, 3)


def test_an_empty_route_after_one_with_receivers_drops_nothing() -> None:
    routes = (Route(number=1, to=("a",), continues=True), Route(number=2, to=()))
    assert route_event(event(Kind.FAILED), routes).reason == routed(1, 2)


ALL = Route(number=1, match=EVERY_KIND, to=("a",))


def test_late_changes_of_one_catch_up_form_a_group_without_failures() -> None:
    late = replace(event(Kind.SUCCEEDED), group="inc_1", late=True)
    group = group_of(late, ALL)
    assert group is not None
    assert group.key == "inc_1"
    assert group_of(replace(late, kind=Kind.FAILED), ALL) is None


@pytest.mark.parametrize("kind", [Kind.PROGRESS, Kind.FAILED])
def test_a_flapping_training_goes_into_digests(kind: Kind) -> None:
    assert group_of(event(kind), ALL, recent=10) is None
    digest = group_of(event(kind), ALL, recent=11)
    assert digest is not None
    assert digest.key == "digest service:main/s"


def test_flapping_trainings_of_one_service_share_a_digest() -> None:
    first, other = (group_of(replace(event(Kind.PROGRESS), version=name), ALL, recent=11) for name in ("v1", "v2"))
    assert first == other


def about_receiver(kind: Kind) -> Event:
    return replace(event(kind), account=None, service=None, subject="receiver:hook")


@pytest.mark.parametrize("kind", sorted(URGENT_KINDS - {Kind.FAILED, Kind.RECEIVER_RECOVERED}))
def test_no_urgent_event_but_a_failure_of_a_flapping_training_waits_in_a_digest(kind: Kind) -> None:
    assert group_of(about_receiver(kind), ALL, recent=11) is None
    assert group_of(event(kind), replace(ALL, group_for=timedelta(seconds=30)), recent=99) is None


def test_the_recoveries_of_a_flapping_receiver_have_a_digest_of_their_own() -> None:
    assert group_of(about_receiver(Kind.RECEIVER_RECOVERED), ALL, recent=10) is None
    digest = group_of(about_receiver(Kind.RECEIVER_RECOVERED), ALL, recent=11)
    assert digest is not None
    assert digest.key == "digest receiver:hook"


def test_an_incident_always_gets_a_message_of_its_own() -> None:
    facts = IncidentFacts(id="inc_1", kind=Kind.UNREACHABLE, cause="dns", detail="", since=TIME)
    incident = replace(event(Kind.UNREACHABLE), incident=facts)
    assert group_of(incident, replace(ALL, group_for=timedelta(seconds=30)), recent=99) is None


def test_a_route_with_group_for_groups_events_that_are_not_urgent() -> None:
    collecting = replace(ALL, number=7, group_for=timedelta(seconds=30))
    assert group_of(event(Kind.PROGRESS), collecting) == Group(key="route 7", patience=timedelta(seconds=30))
    assert group_of(event(Kind.FAILED), collecting) is None


def test_a_late_change_joins_its_catch_up_rather_than_the_group_of_its_route() -> None:
    late = replace(event(Kind.SUCCEEDED), group="inc_1", late=True)
    group = group_of(late, replace(ALL, group_for=timedelta(seconds=30)))
    assert group is not None
    assert group.key == "inc_1"


def test_each_receiver_has_the_grouping_of_its_own_route() -> None:
    routes = (
        Route(number=1, match=EVERY_KIND, to=("a",), continues=True, group_for=timedelta(seconds=30)),
        Route(number=2, match=EVERY_KIND, to=("b",)),
    )
    first, second = route_event(event(Kind.PROGRESS), routes).to
    assert (first.group is not None, second.group) == (True, None)


def test_a_group_has_each_mention_once_in_order_and_at_most_the_limit() -> None:
    assert merge_mentions(("<@U1>", "<!here>"), ("<!here>", "<@U2>")) == ("<@U1>", "<!here>", "<@U2>")
    assert len(merge_mentions((), [f"<@U{number}>" for number in range(30)])) == MENTIONS_MAX


RECEIVERS = ("a", "b", "c")
matches = st.builds(
    Matcher,
    kinds=st.none() | st.sets(st.sampled_from(["*", *(kind.value for kind in Kind)]), min_size=1).map(frozenset),
    patterns=st.dictionaries(
        st.sampled_from(["account", "service", "type", "version", "status", "labels.env"]),
        st.lists(st.sampled_from(["main", "s", "pop", "v", "b", "prod", "*", "p*", "?", "x"]), min_size=1).map(tuple),
        max_size=2,
    ),
)
routes_before = st.lists(
    st.builds(
        Route,
        number=st.just(0),
        match=matches,
        to=st.lists(st.sampled_from(RECEIVERS)).map(tuple),
        continues=st.booleans(),
        mentions=st.sampled_from([(), ("<!here>",)]),
        group_for=st.none() | st.just(timedelta(seconds=30)),
    ),
    max_size=6,
)
events = st.builds(
    replace,
    st.builds(event, st.sampled_from(Kind)),
    service=st.sampled_from([None, "s"]),
    version=st.sampled_from([None, "v"]),
    to_status=st.sampled_from([None, "b", "x"]),
    labels=st.sampled_from([{}, {"env": "prod"}, {"env": "test", "team": "x"}]),
)


@given(announced=events, before=routes_before, recent=st.integers(1, 20))
def test_for_any_routes_each_receiver_is_notified_once_by_the_first_route_that_names_it(
    announced: Event, before: list[Route], recent: int
) -> None:
    last = Route(number=0, to=("last",))
    routes = [replace(route, number=number) for number, route in enumerate([*before, last], start=1)]
    decision = route_event(announced, routes, recent)
    takers = [route for route in routes if route.match.mismatch(announced) is None]
    stop = next((route for route in takers if not route.continues), None)
    reached = takers if stop is None else takers[: takers.index(stop) + 1]

    assert len(set(decision.receivers)) == len(decision.receivers)
    assert set(decision.receivers) == {receiver for route in reached for receiver in route.to}
    for recipient in decision.to:
        first = next(route for route in reached if recipient.receiver in route.to)
        assert recipient.mentions == first.mentions
        assert recipient.group is None or announced.incident is None
    if announced.kind in DEFAULT_KINDS:
        assert stop is not None, "the last route catches the default kinds"
    assert decision.reason.routes == tuple(route.number for route in reached)
    assert (decision.reason == NO_ROUTE) is (not reached)
    assert (decision.reason.code is RoutingCode.DROPPED) is (bool(reached) and not decision.to)
