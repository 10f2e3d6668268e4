from __future__ import annotations

from watcher.core.training.model import Status
from watcher.simulator.demo import demo_world
from watcher.simulator.truth import Truth
from watcher.simulator.world import ServiceType

FAILED = Status.LEARNING_FAILED


def test_within_twenty_seconds_a_version_appears_and_trainings_change() -> None:
    changes = Truth(demo_world()).changes(0, 20)
    assert any(change.previous is None for change in changes)
    assert any(change.previous is not None for change in changes)


def test_within_three_quarters_of_a_minute_one_completes_and_one_fails() -> None:
    ends = [change.status for change in Truth(demo_world()).changes(0, 45)]
    assert Status.COMPLETED in ends
    assert FAILED in ends


def test_a_final_status_lasts_long_enough_for_two_polls() -> None:
    truth = Truth(demo_world())
    for change in truth.changes(0, 45):
        if change.status in {Status.COMPLETED, FAILED}:
            later = truth.training(change.service, change.type, change.version, change.at_seconds + 15)
            assert later is not None
            assert later.status == change.status


def test_every_later_minute_has_a_change() -> None:
    truth = Truth(demo_world())
    assert all(truth.changes(minute * 60, minute * 60 + 60) for minute in range(240))


def test_a_training_restarts_on_the_same_version() -> None:
    restarts = [
        change
        for change in Truth(demo_world()).changes(0, 300)
        if change.previous == Status.COMPLETED and change.status == Status.REQUESTING
    ]
    assert restarts


def test_the_services_have_friendly_names_and_one_is_of_type_interval() -> None:
    services = demo_world().services
    assert [service.name for service in services] == ["shop-main", "news-feed", "grocery-hourly"]
    assert [service.type for service in services].count(ServiceType.INTERVAL) == 1


def test_ids_resemble_those_of_aitems() -> None:
    ids = [service.id for service in demo_world().services]
    versions = [training.version for service in demo_world().services for training in service.trainings]
    assert all(len(name) == 11 and name.isalnum() and name.islower() for name in ids + versions)
