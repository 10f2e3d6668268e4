"""Where an event goes."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from watcher.core.event import DEFAULT_KINDS, Event, Kind
from watcher.core.routing import Route, plan

MOMENT = datetime(2026, 11, 23, tzinfo=UTC)


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
        after=MOMENT,
        before=MOMENT,
        recorded_at=MOMENT,
    )


@pytest.mark.parametrize("kind", list(Kind))
def test_a_route_without_kinds_takes_the_default_kinds_only(kind: Kind) -> None:
    planned = plan(event(kind), (Route(number=1, kinds=None, to=("a",)),))
    assert planned.to == (("a",) if kind in DEFAULT_KINDS else ())


@pytest.mark.parametrize("kind", list(Kind))
def test_a_star_takes_every_kind(kind: Kind) -> None:
    assert plan(event(kind), (Route(number=1, kinds=frozenset({"*"}), to=("a",)),)).to == ("a",)


def test_the_first_route_that_matches_wins() -> None:
    routes = (
        Route(number=1, kinds=frozenset({"failed"}), to=("a",)),
        Route(number=2, kinds=None, to=("b",)),
    )
    assert plan(event(Kind.FAILED), routes).reason == "route 1"
    assert plan(event(Kind.SUCCEEDED), routes).to == ("b",)


def test_a_receiver_named_twice_is_told_once() -> None:
    assert plan(event(Kind.FAILED), (Route(number=1, kinds=None, to=("a", "b", "a")),)).to == ("a", "b")


def test_a_route_to_nobody_drops_on_purpose_and_says_which() -> None:
    planned = plan(event(Kind.FAILED), (Route(number=1, kinds=None, to=()),))
    assert (planned.to, planned.reason) == ((), "route 1")


ALL = (Route(number=1, kinds=frozenset({"*"}), to=("a",)),)


def test_late_changes_of_one_occasion_go_together_but_for_failures() -> None:
    late = replace(event(Kind.SUCCEEDED), group="inc_1", late=True)
    group = plan(late, ALL).group
    assert group is not None
    assert group.key == "inc_1"
    assert plan(replace(late, kind=Kind.FAILED), ALL).group is None


@pytest.mark.parametrize("kind", [Kind.PROGRESS, Kind.FAILED])
def test_a_training_that_does_not_come_to_rest_is_told_in_digests(kind: Kind) -> None:
    assert plan(event(kind), ALL, recent=10, flap_limit=10).group is None
    digest = plan(event(kind), ALL, recent=11, flap_limit=10).group
    assert digest is not None
    assert digest.key == "digest training:main/s/pop/v"


def test_what_cannot_be_seen_is_always_told_by_itself() -> None:
    incident = replace(event(Kind.UNREACHABLE), incident={"id": "inc_1"})
    assert plan(incident, ALL, recent=99).group is None
