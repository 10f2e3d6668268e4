"""Which look serves what."""

from __future__ import annotations

import pytest

from tests.unit.reports.facts import POP, SHOP, poll, state
from watcher.core.polling.plan import EVERY_SERVICE, Naming, Poll
from watcher.core.training.model import ServiceRef, TrainingRef
from watcher.reports.polls import call_text, serves, service_of, target_text, with_discovered

OTHER = TrainingRef(POP.account, POP.service, "relatedItem", "maqll0other")
EVERY = poll(ServiceRef("main", EVERY_SERVICE))
JOINED = Poll(service=SHOP, cadence=EVERY.cadence, whole_service=False, single={POP: Naming(), OTHER: Naming()})


def test_a_services_list_serves_each_watch_of_the_service() -> None:
    assert serves(poll(), SHOP, None)
    assert serves(poll(), SHOP, POP)
    assert not serves(poll(), ServiceRef("main", "other"), None)


def test_a_view_serves_its_training_alone() -> None:
    assert serves(poll(training=POP), SHOP, POP)
    assert not serves(poll(training=POP), SHOP, OTHER)
    assert not serves(poll(training=POP), SHOP, None)


def test_a_joined_list_serves_the_trainings_that_it_joins() -> None:
    assert serves(JOINED, SHOP, OTHER)
    assert not serves(JOINED, SHOP, TrainingRef(POP.account, POP.service, POP.type, "maqll0third"))


def test_services_that_were_discovered_are_found_in_the_store() -> None:
    found = ServiceRef("main", "a/b")
    states = {found.subject: state(), POP.subject: state(), "service:other/x": state(), EVERY.key: state()}
    assert [item.service for item in with_discovered([EVERY], states)] == [EVERY.service, found]


def test_what_is_planned_is_not_discovered_again() -> None:
    polls = [EVERY, poll()]
    assert list(with_discovered(polls, {SHOP.subject: state()})) == polls


def test_without_a_poll_for_every_service_nothing_is_discovered() -> None:
    assert list(with_discovered([poll()], {"service:main/other": state()})) == [poll()]


@pytest.mark.parametrize("service", ["6wxgu1abcde", "a/b", "*"])
def test_a_services_subject_is_read_back(service: str) -> None:
    assert service_of(ServiceRef("my team", service).subject) == ServiceRef("my team", service)


def test_another_subject_is_no_service() -> None:
    assert service_of(POP.subject) is None
    assert service_of("joined service") is None


def test_polls_are_named_for_people() -> None:
    assert target_text(poll(name="shop-main")) == "shop-main"
    assert target_text(poll(training=POP)) == "6wxgu1abcde pop maqll0abcde"
    assert target_text(JOINED) == "2 trainings of 6wxgu1abcde"
    assert target_text(EVERY) == "the services of account main"
    assert [call_text(item) for item in (poll(), poll(training=POP), EVERY)] == [
        "list of 6wxgu1abcde",
        "view of 6wxgu1abcde",
        "list of all services, then a list of each",
    ]
