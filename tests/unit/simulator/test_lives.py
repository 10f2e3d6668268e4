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


def test_the_same_numbers_give_the_same_world_and_others_another() -> None:
    assert make_world(1) == make_world(1)
    assert make_world(1) != make_world(2)


@given(seeds)
def test_a_random_life_goes_from_its_request_to_a_final_status(seed: int) -> None:
    life = random_life(draws(seed), 7.0, 5.0)
    words = [step.status for step in life.steps]
    assert life.born_seconds == 7.0
    assert words[0] == Status.REQUESTING
    assert [is_final(word or "") for word in words] == [False] * (len(words) - 1) + [True]


@given(seeds)
def test_stages_last_about_the_pace(seed: int) -> None:
    moments = [step.after_seconds for step in random_life(draws(seed), 0.0, 5.0).steps]
    assert all(2.5 <= later - earlier <= 7.5 for earlier, later in pairwise(moments))


def test_every_end_is_met_and_most_trainings_complete() -> None:
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


def test_one_version_of_each_type_is_known_at_the_start_and_new_ones_appear() -> None:
    world = make_world(4, services=1)
    truth, service = Truth(world), world.services[0].id
    assert {seen.status for seen in truth.trainings(service, 0)} <= {"completed", "requesting"}
    counts = [len(truth.trainings(service, seconds)) for seconds in (0, 60, 120, 600)]
    assert counts == sorted(counts)
    assert counts[-1] == 3 * 6


def test_something_goes_on_after_the_last_version_appeared() -> None:
    truth = Truth(make_world(5, services=1))
    assert len(truth.changes(100_000, 100_200)) > 5
