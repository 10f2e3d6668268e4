"""The poll that serves a watch."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from tests.unit.reports.facts import POP, SHOP, poll, state
from watcher.core.polling.plan import EVERY_SERVICE, Poll, WatchAttributes
from watcher.core.training.model import ServiceRef, TrainingRef
from watcher.reports.polls import call_text, named, serves, target_text, with_discovered
from watcher.reports.status import poll_reports

OTHER = TrainingRef(POP.account, POP.service, "relatedItem", "maqll0other")
EVERY = poll(ServiceRef("main", EVERY_SERVICE))
JOINED = Poll(
    service=SHOP, cadence=EVERY.cadence, whole_service=False, single={POP: WatchAttributes(), OTHER: WatchAttributes()}
)


def test_the_list_of_a_service_serves_each_watch_of_the_service() -> None:
    assert serves(poll(), SHOP, None)
    assert serves(poll(), SHOP, POP)
    assert not serves(poll(), ServiceRef("main", "other"), None)


def test_a_view_serves_only_its_training() -> None:
    assert serves(poll(training=POP), SHOP, POP)
    assert not serves(poll(training=POP), SHOP, OTHER)
    assert not serves(poll(training=POP), SHOP, None)


def test_a_joined_list_serves_only_its_trainings() -> None:
    assert serves(JOINED, SHOP, OTHER)
    assert not serves(JOINED, SHOP, TrainingRef(POP.account, POP.service, POP.type, "maqll0third"))


def test_discovered_services_are_found_in_the_store() -> None:
    found = ServiceRef("main", "a/b")
    states = {found.subject: state(), POP.subject: state(), "service:other/x": state(), EVERY.key: state()}
    assert [item.service for item in with_discovered([EVERY], states)] == [EVERY.service, found]


def test_a_planned_poll_is_not_discovered_again() -> None:
    polls = [EVERY, poll()]
    assert list(with_discovered(polls, {SHOP.subject: state()})) == polls


def test_without_a_discovering_poll_nothing_is_discovered() -> None:
    assert list(with_discovered([poll()], {"service:main/other": state()})) == [poll()]


@pytest.mark.parametrize("service", ["6wxgu1abcde", "a/b", "*"])
def test_the_subject_of_a_service_can_be_read_back(service: str) -> None:
    assert ServiceRef.from_subject(ServiceRef("my team", service).subject) == ServiceRef("my team", service)


def test_any_other_subject_is_no_service() -> None:
    assert ServiceRef.from_subject(POP.subject) is None
    assert ServiceRef.from_subject("joined service") is None


def test_polls_have_a_readable_name() -> None:
    assert target_text(poll(name="shop-main")) == "shop-main"
    assert target_text(poll(training=POP)) == "6wxgu1abcde pop maqll0abcde"
    assert target_text(JOINED) == "2 trainings of 6wxgu1abcde"
    assert target_text(EVERY) == "the services of account main"
    assert [call_text(item) for item in (poll(), poll(training=POP), EVERY)] == [
        "list of 6wxgu1abcde",
        "view of 6wxgu1abcde",
        "list of all services, then a list of each",
    ]


def test_a_service_without_a_name_in_the_configuration_has_the_one_of_aitems() -> None:
    found, own = ServiceRef("main", "found"), replace(poll(), attributes=WatchAttributes(name="ours"))
    states = {SHOP.subject: state(name="theirs"), found.subject: state(name="found shop")}
    polls = [poll(), poll(training=POP), own, poll(found), poll(ServiceRef("main", "new"))]
    assert [item.attributes.name for item in named(polls, states)] == ["theirs", "theirs", "ours", "found shop", None]


def test_each_poll_is_joined_with_its_state_by_one_key(monkeypatch: pytest.MonkeyPatch) -> None:
    counted = Counter[str]()

    def key(item: Poll) -> str:
        counted.update([item.service.subject])
        return item.service.subject

    monkeypatch.setattr(Poll, "key", property(key))
    services = [ServiceRef("main", f"s{number}") for number in range(3)]
    states = {service.subject: replace(state(), key=service.subject) for service in services}
    joined = poll_reports([poll(service) for service in services], states)
    assert [item.state for item in joined] == list(states.values())
    assert set(counted.values()) == {1}
