"""Random worlds: services with random trainings at a chosen pace.

Pure: the caller draws the random numbers and seeds them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from watcher.core.training.model import TRAIN_TYPES, Status
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

Draw = Callable[[], float]
"""Returns the next number from 0 (inclusive) to 1 (exclusive), as ``random.Random(seed).random`` does."""

_ALPHABET: Final = "0123456789abcdefghijklmnopqrstuvwxyz"
_ID_LENGTH: Final = 11
_NAMES: Final = ("shop-main", "news-feed", "grocery-hourly", "music-radio", "travel-deals", "video-home")

_COURSES: Final = (
    (0.75, (Status.REQUESTING, Status.WAITING, Status.LEARNING, Status.COMPLETED)),
    (0.87, (Status.REQUESTING, Status.WAITING, Status.LEARNING, Status.LEARNING_FAILED)),
    (0.95, (Status.REQUESTING, Status.WAITING, Status.REFINED_FAILED)),
    (1.00, (Status.REQUESTING, Status.REQUEST_FAILED)),
)
"""Sequences of statuses with cumulative probabilities; three trainings in four complete."""

_LACKS_RESULT: Final = 0.05
"""The share of completed trainings without an inference result."""


def random_world(draw: Draw, *, services: int, pace_seconds: float, versions: int = 100) -> World:
    """Return a world in which each service has about one change in ``pace_seconds``.

    Args:
        draw: the source of random numbers; the same numbers give the same world.
        services: the number of services; every third one is of type ``interval``.
        pace_seconds: the average time of a training in a stage.
        versions: the number of successive versions of each type; the last one repeats for ever.
    """
    return World(tuple(_service(draw, number, pace_seconds, versions) for number in range(services)))


def _service(draw: Draw, number: int, pace_seconds: float, versions: int) -> SimulatedService:
    is_interval = number % 3 == 2  # noqa: PLR2004 - every third one, counted from zero
    return SimulatedService(
        id=_identifier(draw),
        name=_name(number),
        type=ServiceType.INTERVAL if is_interval else ServiceType.BATCH,
        interval=LEARNING_INTERVALS[number % len(LEARNING_INTERVALS)] if is_interval else None,
        trainings=tuple(
            training for train_type in TRAIN_TYPES for training in _versions(draw, train_type, pace_seconds, versions)
        ),
    )


def _name(number: int) -> str:
    repetition, index = divmod(number, len(_NAMES))
    return f"{_NAMES[index]}-{repetition + 1}" if repetition else _NAMES[index]


def _identifier(draw: Draw) -> str:
    return "".join(_ALPHABET[int(draw() * len(_ALPHABET))] for _ in range(_ID_LENGTH))


def _versions(draw: Draw, train_type: str, pace_seconds: float, versions: int) -> list[Training]:
    """Return the versions of one type: one that is completed from the start, then one after another."""
    trainings = [_training(draw, train_type, Life((Step(0.0, Status.COMPLETED),)))]
    begins = 4 * pace_seconds * draw()
    for number in range(versions):
        life = random_life(draw, begins, pace_seconds)
        begins = life.steps[-1].after_seconds + pace_seconds * (1 + 2 * draw())
        trainings.append(_training(draw, train_type, life if number < versions - 1 else _repeated(life, begins)))
    return trainings


def _repeated(life: Life, next_begins: float) -> Life:
    return Life(life.steps, loop_seconds=next_begins - life.born_seconds)


def random_life(draw: Draw, begins_seconds: float, pace_seconds: float) -> Life:
    """Return the steps of one training, from its request to its end."""
    seconds = begins_seconds
    steps: list[Step] = []
    for status in _course(draw()):
        steps.append(Step(seconds, status, _result(draw, status)))
        seconds += pace_seconds * (0.5 + draw())
    return Life(tuple(steps))


def _course(number: float) -> tuple[Status, ...]:
    return next(course for below, course in _COURSES if number < below)


def _result(draw: Draw, status: Status) -> bool | None:
    return False if status is Status.COMPLETED and draw() < _LACKS_RESULT else None


def _training(draw: Draw, train_type: str, life: Life) -> Training:
    optimized = {"is_enabled": True, "item_top_n": 20000, "min_item_cut": 5, "session_max_timestamp": 1800}
    return Training(
        type=train_type,
        version=_identifier(draw),
        life=life,
        hp_config=optimized if train_type != "pop" and draw() < 1 / 2 else NO_HPO,
    )
