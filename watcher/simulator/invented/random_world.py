"""Random worlds: services with random trainings at a chosen pace.

Pure: the caller draws the random numbers and seeds them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from watcher.core.training.model import TRAIN_TYPES, Status
from watcher.simulator.invented.draws import Draw, LogNormal, identifier
from watcher.simulator.invented.hp_configs import hp_configs, optimized
from watcher.simulator.invented.lives import Course, random_life, same_pace
from watcher.simulator.invented.series import UpdatePlan, with_updates
from watcher.simulator.world import (
    LEARNING_INTERVALS,
    NO_HPO,
    Life,
    ServiceType,
    SimulatedService,
    Step,
    Training,
    World,
)

_NAMES: Final = ("shop-main", "news-feed", "grocery-hourly", "music-radio", "travel-deals", "video-home")
_HP_CHANGES: Final = 0.3
_STAGES_PER_UPDATE: Final = 4
"""An update begins so many stages after the one before."""
_INTERVAL_SHARE: Final = 4
"""A service of type ``interval`` has so many times fewer versions, as most of its work is updates."""


def random_world(
    draw: Draw, *, services: int, pace_seconds: float, versions: int = 100, course: Course | None = None
) -> World:
    """Return a world in which each service has about one change in ``pace_seconds``.

    Args:
        draw: the source of random numbers; the same numbers give the same world.
        services: the number of services; every third one is of type ``interval`` and has updates.
        pace_seconds: the usual time between two changes of a type.
        versions: the number of successive versions of each type; the last one repeats for ever.
        course: the distributions of stages and ends; by default all stages have the median ``pace_seconds``.
    """
    used = course or same_pace(pace_seconds)
    return World(tuple(_service(draw, number, pace_seconds, versions, used) for number in range(services)))


def _service(draw: Draw, number: int, pace_seconds: float, versions: int, course: Course) -> SimulatedService:
    is_interval = number % 3 == 2  # noqa: PLR2004 - every third one, counted from zero
    trainings = _updated_versions if is_interval else _versions
    return SimulatedService(
        id=identifier(draw),
        name=service_name(number),
        type=ServiceType.INTERVAL if is_interval else ServiceType.BATCH,
        interval=LEARNING_INTERVALS[number % len(LEARNING_INTERVALS)] if is_interval else None,
        trainings=tuple(
            training
            for train_type in TRAIN_TYPES
            for training in trainings(draw, train_type, pace_seconds, versions, course)
        ),
    )


def service_name(number: int) -> str:
    """Return the invented name of the service with this number, from 0."""
    repetition, index = divmod(number, len(_NAMES))
    return f"{_NAMES[index]}-{repetition + 1}" if repetition else _NAMES[index]


def _versions(draw: Draw, train_type: str, pace_seconds: float, versions: int, course: Course) -> tuple[Training, ...]:
    """Return the versions of one type: one that is completed from the start, then one after another."""
    lives = _lives(draw, pace_seconds, versions, course)
    first = optimized(train_type) if draw() < 1 / 2 else NO_HPO
    configs = hp_configs(draw, train_type, first, _HP_CHANGES)
    return tuple(
        Training(type=train_type, version=identifier(draw), life=life, hp_config=next(configs)) for life in lives
    )


def _updated_versions(
    draw: Draw, train_type: str, pace_seconds: float, versions: int, course: Course
) -> tuple[Training, ...]:
    trainings = _versions(draw, train_type, pace_seconds, max(1, versions // _INTERVAL_SHARE), course)
    plan = UpdatePlan(
        every_seconds=_STAGES_PER_UPDATE * pace_seconds,
        duration=LogNormal(pace_seconds, course.learning.variation),
        failures=course.failures / 2,
    )
    return with_updates(draw, plan, trainings)


def _lives(draw: Draw, pace_seconds: float, versions: int, course: Course) -> Iterator[Life]:
    yield Life((Step(0.0, Status.COMPLETED),))
    begins = 4 * pace_seconds * draw()
    for number in range(versions):
        life = random_life(draw, begins, course)
        begins = life.steps[-1].after_seconds + pace_seconds * (1 + 2 * draw())
        yield life if number < versions - 1 else _repeated(life, begins)


def _repeated(life: Life, next_begins: float) -> Life:
    return Life(life.steps, loop_seconds=next_begins - life.born_seconds)
