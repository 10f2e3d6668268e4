"""The answers of AiTEMS to a client that has polled every service for days: a history to fill a store with.

Pure: the same seed gives the same history. Services differ in their usual durations; some become slower.
"""

from __future__ import annotations

import heapq
import math
import random
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import count
from typing import Final

from watcher.core.training.model import TRAIN_TYPES
from watcher.simulator.invented.draws import Draw, LogNormal, identifier
from watcher.simulator.invented.hp_configs import optimized
from watcher.simulator.invented.lives import Course
from watcher.simulator.invented.random_world import service_name
from watcher.simulator.invented.series import Series, Trend, iterate_versions
from watcher.simulator.records import training_record
from watcher.simulator.truth import TrainingState
from watcher.simulator.world import SimulatedService, Training, World

DAY_SECONDS: Final = 86_400.0
POLL_SECONDS: Final = 30.0
"""The time between two polls of a service: the default of ``interval``, so that short trainings teach too."""
ANSWER_SECONDS: Final = 0.2
"""The time from a request to its answer."""

_USUAL_SECONDS: Final[Mapping[str, float]] = {"personalRecommend": 3300.0, "relatedItem": 2400.0, "pop": 720.0}
_DAYS_AFTER: Final = 30
_HANG_SECONDS: Final = 4 * 3600.0
_RESULT: Final = LogNormal(120.0)
_WITHOUT_RESULT: Final = 0.01
_HP_CHANGES: Final = 0.05
_UNEVEN: Final = 10
"""One service in so many becomes slower bit by bit, another one all at once."""
_GROWTH: Final = 0.002
_LEVEL: Final = 1.6


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryPlan:
    """The size of a history, and the shares of its trainings."""

    days: int
    services: int
    runs_per_day: int = 4
    """The trainings of each of the three types of each service."""
    variation: float = 0.3
    """The coefficient of variation of the durations."""
    failures: float = 0.05
    """The share of trainings that fail."""
    hangs: float = 0.003
    """The share of trainings of which one stage takes four hours longer."""
    seed: int = 0

    @property
    def seconds(self) -> float:
        """The length of the history."""
        return self.days * DAY_SECONDS


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryAnswer:
    """A training as a poll shows it after a change."""

    asked_seconds: float
    """The start of the request, since the start of the history."""
    service_name: str
    record: dict[str, object]
    """The body of "View training"."""
    is_last: bool
    """Whether no later poll shows a change of this training."""


def history_services(plan: HistoryPlan) -> tuple[str, ...]:
    """Return the ids of the services."""
    return tuple(_service_id(plan, number) for number in range(plan.services))


def history_names(plan: HistoryPlan, most: int) -> dict[str, str]:
    """Return the names of at most so many of the services, by id."""
    return {_service_id(plan, number): service_name(number) for number in range(min(plan.services, most))}


def history_answers(plan: HistoryPlan, started_at: datetime) -> Iterator[HistoryAnswer]:
    """Yield the answers with a change, in order of time.

    Args:
        plan: the size of the history.
        started_at: the start of the history, UTC.
    """
    answers = (
        _answers_of_series(plan, number, train_type, started_at)
        for number in range(plan.services)
        for train_type in TRAIN_TYPES
    )
    return heapq.merge(*answers, key=lambda answer: answer.asked_seconds)


def history_world(plan: HistoryPlan) -> World:
    """Return the same services and trainings as a world, with further versions for some days after the history."""
    return World(tuple(_service(plan, number) for number in range(plan.services)))


def _service(plan: HistoryPlan, number: int) -> SimulatedService:
    trainings = (
        training
        for train_type in TRAIN_TYPES
        for training in _versions(plan, number, train_type, plan.days + _DAYS_AFTER)
    )
    return SimulatedService(id=_service_id(plan, number), name=service_name(number), trainings=tuple(trainings))


def _versions(plan: HistoryPlan, number: int, train_type: str, days: int) -> Iterator[Training]:
    """Yield the versions of so many days; further days change nothing in the earlier ones."""
    draw = _draw(plan, number, train_type)
    return iterate_versions(draw, _series(draw, plan, number, train_type, days))


def _service_id(plan: HistoryPlan, number: int) -> str:
    return identifier(_draw(plan, number))


def _draw(plan: HistoryPlan, *place: object) -> Draw:
    return random.Random("/".join(map(str, (plan.seed, *place)))).random  # noqa: S311 - a made-up world needs no secrecy


def _answers_of_series(
    plan: HistoryPlan, number: int, train_type: str, started_at: datetime
) -> Iterator[HistoryAnswer]:
    service, name = _service_id(plan, number), service_name(number)
    polled_from = POLL_SECONDS * _draw(plan, number, "poll")()
    trainings = _versions(plan, number, train_type, plan.days)
    changes = (_changes(training, polled_from, plan.seconds) for training in trainings)
    for seconds, state, is_last in _in_order(changes):
        record = training_record(service, state, started_at)
        yield HistoryAnswer(asked_seconds=seconds, service_name=name, record=record, is_last=is_last)


def _series(draw: Draw, plan: HistoryPlan, number: int, train_type: str, days: int) -> Series:
    every = DAY_SECONDS / plan.runs_per_day
    usual = _USUAL_SECONDS[train_type] * 4 ** (draw() - 0.5)
    return Series(
        type=train_type,
        every_seconds=every,
        first_seconds=every * draw(),
        count=days * plan.runs_per_day,
        course=Course(
            learning=LogNormal(usual, plan.variation),
            failures=plan.failures,
            hangs=plan.hangs,
            hang_seconds=_HANG_SECONDS,
            result=_RESULT,
            without_result=_WITHOUT_RESULT,
        ),
        trend=_trend(plan, number),
        hp_config=optimized(train_type),
        hp_changes=_HP_CHANGES,
    )


def _trend(plan: HistoryPlan, number: int) -> Trend:
    match number % _UNEVEN:
        case 1:
            return Trend(growth=_GROWTH)
        case 2:
            return Trend(levels=((plan.seconds / 2, _LEVEL),))
        case _:
            return Trend()


_Change = tuple[float, TrainingState, bool]


def _changes(training: Training, polled_from: float, until_seconds: float) -> list[_Change]:
    """Return the first poll after each change, with the state that it shows, and whether it is the last one."""
    states: dict[float, TrainingState] = {}
    for step in training.life.steps:
        polls = math.ceil((step.after_seconds - polled_from) / POLL_SECONDS)
        states[polled_from + polls * POLL_SECONDS] = TrainingState(
            training=training,
            status=step.status or "",
            inference=step.has_result,
            born_seconds=training.life.born_seconds,
        )
    last = max(states)
    return [(seconds, state, seconds == last) for seconds, state in states.items() if seconds < until_seconds]


def _in_order(trainings: Iterable[list[_Change]]) -> Iterator[_Change]:
    """Yield the changes of trainings that begin one after another, but may end later than the next one begins."""
    waiting: list[tuple[float, int, _Change]] = []
    numbers = count()
    for changes in trainings:
        while waiting and changes and waiting[0][0] < changes[0][0]:
            yield heapq.heappop(waiting)[2]
        for change in changes:
            heapq.heappush(waiting, (change[0], next(numbers), change))
    while waiting:
        yield heapq.heappop(waiting)[2]


def answered_at(started_at: datetime, asked_seconds: float) -> datetime:
    """Return the end of the answer to a request, UTC."""
    return started_at + timedelta(seconds=asked_seconds + ANSWER_SECONDS)
