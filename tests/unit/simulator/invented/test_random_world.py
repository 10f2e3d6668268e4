from __future__ import annotations

import random
from itertools import pairwise

import pytest

from watcher.core.training.model import TRAIN_TYPES
from watcher.simulator import SimulatorSettings, build_simulator
from watcher.simulator.invented.random_world import random_world
from watcher.simulator.truth import Truth
from watcher.simulator.world import ServiceType, World


def make_world(seed: int, services: int = 3, versions: int = 5) -> World:
    draw = random.Random(seed).random  # noqa: S311 - a made-up world needs no secrecy
    return random_world(draw, services=services, pace_seconds=5, versions=versions)


def test_equal_numbers_give_equal_worlds_and_different_numbers_different_ones() -> None:
    assert make_world(1) == make_world(1)
    assert make_world(1) != make_world(2)


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


def test_only_interval_services_have_updates() -> None:
    for service in make_world(6, services=6).services:
        has_updates = any(training.updates for training in service.trainings)
        assert has_updates is (service.type is ServiceType.INTERVAL)


def test_versions_of_a_type_differ_in_their_options() -> None:
    trainings = make_world(7, services=1, versions=40).services[0].trainings
    for train_type in ("personalRecommend", "relatedItem"):
        configs = [dict(training.hp_config) for training in trainings if training.type == train_type]
        assert 5 < sum(one != other for one, other in pairwise(configs)) < 25
    assert all(training.hp_config == {"is_enabled": False} for training in trainings if training.type == "pop")


@pytest.mark.parametrize(
    ("options", "ends"),
    [
        ({"failures": 0.0, "hangs": 0.0}, {"completed"}),
        ({"hangs": 1.0}, {"requesting", "waiting", "learning"}),
        ({"failures": 1.0}, {"requestFailed", "refinedFailed", "learningFailed"}),
    ],
)
def test_the_options_of_simulate_set_the_ends(options: dict[str, float], ends: set[str]) -> None:
    simulator = build_simulator(SimulatorSettings(seed=1, services=1, **options))  # type: ignore[arg-type]
    (service,) = simulator.truth.services
    last = [state.training.life.steps for state in simulator.truth.trainings(service.id, 10_000_000)]
    assert {steps[-1].status for steps in last if len(steps) > 1} <= ends


def test_the_option_result_after_lets_results_come_later() -> None:
    settings = SimulatorSettings(seed=1, services=1, failures=0.0, result_after_seconds=60.0)
    states = build_simulator(settings).truth.trainings
    (service,) = build_simulator(settings).truth.services
    late = [state for state in states(service.id, 10_000_000) if len(state.training.life.steps) == 5]
    assert len(late) > 200
