from __future__ import annotations

import random
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from watcher.core.training.model import TRAIN_TYPES, Status, is_final
from watcher.simulator.lives import Draw, random_life, random_world
from watcher.simulator.truth import Truth
from watcher.simulator.world import ServiceType, World

seeds = st.integers(0, 10_000)


def draws(seed: int) -> Draw:
    return random.Random(seed).random  # noqa: S311 - a made-up world needs no secrecy


def make_world(seed: int, services: int = 3, versions: int = 5) -> World:
    return random_world(draws(seed), services=services, pace_seconds=5, versions=versions)


def test_equal_numbers_give_equal_worlds_and_different_numbers_different_ones() -> None:
    assert make_world(1) == make_world(1)
    assert make_world(1) != make_world(2)


@given(seeds)
def test_a_random_training_goes_from_its_request_to_a_final_status(seed: int) -> None:
    life = random_life(draws(seed), 7.0, 5.0)
    statuses = [step.status for step in life.steps]
    assert life.born_seconds == 7.0
    assert statuses[0] == Status.REQUESTING
    assert [is_final(status or "") for status in statuses] == [False] * (len(statuses) - 1) + [True]


@given(seeds)
def test_stages_last_about_the_pace(seed: int) -> None:
    times = [step.after_seconds for step in random_life(draws(seed), 0.0, 5.0).steps]
    assert all(2.5 <= later - earlier <= 7.5 for earlier, later in pairwise(times))


def test_every_final_status_occurs_and_most_trainings_complete() -> None:
    draw = draws(0)
    ends = [random_life(draw, 0.0, 1.0).steps[-1].status for _ in range(1000)]
    assert set(ends) == {"completed", "learningFailed", "refinedFailed", "requestFailed"}
    assert 650 < ends.count("completed") < 850


def test_a_random_world_has_services_of_both_types_with_every_type_of_training() -> None:
    services = make_world(3, services=8).services
    assert len({service.name for service in services}) == 8
    assert {service.type for service in services} == set(ServiceType)
    for service in services:
        assert {training.type for training in service.trainings} == set(TRAIN_TYPES)


def test_one_version_of_each_type_exists_at_the_start_and_others_appear() -> None:
    world = make_world(4, services=1)
    truth, service = Truth(world), world.services[0].id
    assert {state.status for state in truth.trainings(service, 0)} <= {"completed", "requesting"}
    counts = [len(truth.trainings(service, seconds)) for seconds in (0, 60, 120, 600)]
    assert counts == sorted(counts)
    assert counts[-1] == 3 * 6


def test_changes_continue_after_the_last_version_appeared() -> None:
    truth = Truth(make_world(5, services=1))
    assert len(truth.changes(100_000, 100_200)) > 5
