"""Watches of a pattern: which services they match, and whose settings apply."""

from __future__ import annotations

from datetime import timedelta

import pytest

from watcher.core.polling.plan import EVERY_SERVICE, Poll, Watch, discovered, plan_polls
from watcher.core.polling.schedule import Cadence
from watcher.core.training.model import ServiceRef, TrainingRef
from watcher.reports.polls import serves, with_discovered

GENERAL = {"team": "all", "env": "x"}


def watch(service: str, seconds: int = 30, *, version: str | None = None, **facts: object) -> Watch:
    ref = ServiceRef("main", service)
    training = None if version is None else TrainingRef("main", service, "pop", version)
    cadence = Cadence(interval=timedelta(seconds=seconds), idle_interval=timedelta(minutes=5))
    return Watch(service=ref, training=training, cadence=cadence, **facts)  # type: ignore[arg-type]  # name and labels


def found(polls: tuple[Poll, ...], service: str) -> Poll | None:
    (discovering,) = (poll for poll in polls if poll.discovers)
    return discovered(discovering, ServiceRef("main", service), "named")


@pytest.mark.parametrize(
    ("pattern", "matches"),
    [
        ("*", {"6wxa", "6wxb1", "49qk"}),
        ("6wx*", {"6wxa", "6wxb1"}),
        ("6wx?", {"6wxa"}),
        ("*1", {"6wxb1"}),
        ("?9*", {"49qk"}),
        ("6WX*", set()),
    ],
)
def test_a_pattern_matches_services_by_their_id(pattern: str, matches: set[str]) -> None:
    polls = plan_polls([watch(pattern)])
    assert {service for service in ("6wxa", "6wxb1", "49qk") if found(polls, service)} == matches


def test_all_patterns_of_an_account_share_one_list_of_services() -> None:
    polls = plan_polls([watch("6wx*", 60), watch("*", 90), watch("49*", 30)])
    (poll,) = polls
    assert (poll.service.service, poll.key) == (EVERY_SERVICE, "service:main/%2A")
    assert poll.cadence.interval == timedelta(seconds=30)


def test_the_more_specific_pattern_names_and_the_shortest_interval_applies() -> None:
    polls = plan_polls(
        [watch("6wx*", 60, labels={"team": "search"}), watch("*", 30, labels={"team": "all", "env": "x"})]
    )
    poll = found(polls, "6wxa")
    assert poll is not None
    assert poll.attributes.labels == {"team": "search", "env": "x"}
    assert poll.attributes.name == "named"
    assert poll.cadence.interval == timedelta(seconds=30)


@pytest.mark.parametrize("version", [None, "v1"])
def test_a_watch_of_its_own_is_more_specific_than_a_pattern(version: str | None) -> None:
    polls = plan_polls(
        [watch("*", 30, labels={"team": "all", "env": "x"}), watch("6wxa", 60, version=version, name="own")]
    )
    exact = next(poll for poll in polls if not poll.discovers)
    assert (exact.attributes.name, exact.attributes.labels) == ("own", {"team": "all", "env": "x"})
    assert exact.cadence.interval == timedelta(seconds=30)


def test_a_training_with_a_watch_of_its_own_keeps_its_name_in_the_list_of_its_service() -> None:
    polls = plan_polls([watch("6*"), watch("6wxa", version="v1", name="own")])
    poll = found(polls, "6wxa")
    assert poll is not None
    assert poll.attributes_of(TrainingRef("main", "6wxa", "pop", "v1")).name == "own"
    assert poll.attributes_of(TrainingRef("main", "6wxa", "pop", "v2")).name == "named"


def test_the_reports_follow_the_pattern() -> None:
    polls = plan_polls([watch("6wx*")])
    assert serves(polls[0], ServiceRef("main", "6wx*"), None)
    states = {f"service:main/{service}": None for service in ("6wxa", "49qk", "%2A")}
    listed = [poll.service.service for poll in with_discovered(polls, states)]  # type: ignore[arg-type]  # only the keys count
    assert listed == [EVERY_SERVICE, "6wxa"]
