"""The script of a simulated AiTEMS: each training's status as a function of time.

Pure: each time is a number of seconds since the simulator's start.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from itertools import pairwise
from types import MappingProxyType
from typing import Final

from watcher.core.training.model import Status, is_final

NO_HPO: Final[Mapping[str, object]] = MappingProxyType({"is_enabled": False})
"""The ``hpConfig`` of a training without hyperparameter optimization."""


@dataclass(frozen=True, slots=True)
class Step:
    """From ``after_seconds`` on the training has ``status``; ``None`` means that AiTEMS does not know the training."""

    after_seconds: float
    status: str | None
    inference: bool | None = None
    """Whether the training has a result; ``None`` means if its status is ``completed``."""

    @property
    def has_result(self) -> bool:
        """The field ``inference`` of a training in this step."""
        return self.status == Status.COMPLETED if self.inference is None else self.inference


@dataclass(frozen=True, slots=True)
class Life:
    """The steps of a training in order of time; it does not exist before the first one."""

    steps: tuple[Step, ...] = ()
    loop_seconds: float | None = None
    """If set, all steps repeat at this period."""

    def __post_init__(self) -> None:
        _require_order(self.steps)
        if self.loop_seconds is not None:
            _require_longer_loop(self.steps, self.loop_seconds)

    @property
    def born_seconds(self) -> float:
        """The time of the training's appearance; infinity without steps."""
        return self.steps[0].after_seconds if self.steps else math.inf

    def step_at(self, seconds: float) -> Step | None:
        """Return the current step at a time, or ``None`` before the first one."""
        latest = None
        last_round = self._round_at(seconds)
        for time, step in self._timed_steps(max(0, last_round - 1), last_round + 1):
            if time > seconds:
                break
            latest = step
        return latest

    def status_at(self, seconds: float) -> str | None:
        """Return the status at a time, or ``None`` while the training does not exist."""
        step = self.step_at(seconds)
        return step.status if step else None

    def steps_between(self, after_seconds: float, until_seconds: float) -> Iterator[Step]:
        """Yield the steps after the first time, up to and including the second, with loops unrolled."""
        first_round = max(0, self._round_at(after_seconds) - 1)
        for time, step in self._timed_steps(first_round, self._round_at(until_seconds) + 1):
            if after_seconds < time <= until_seconds:
                yield Step(time, step.status, step.inference)

    def _round_at(self, seconds: float) -> int:
        if self.loop_seconds is None or seconds < self.born_seconds:
            return 0
        return int((seconds - self.born_seconds) // self.loop_seconds)

    def _timed_steps(self, first_round: int, last_round: int) -> Iterator[tuple[float, Step]]:
        """Yield each step with its time; callers add a round on either side against rounding errors."""
        if self.loop_seconds is None:
            yield from ((step.after_seconds, step) for step in self.steps)
            return
        for number in range(first_round, last_round + 1):
            yield from ((number * self.loop_seconds + step.after_seconds, step) for step in self.steps)


def _require_order(steps: tuple[Step, ...]) -> None:
    if steps and not (math.isfinite(steps[-1].after_seconds) and steps[0].after_seconds >= 0):
        raise ValueError("a step's time is zero or more seconds")
    for earlier, later in pairwise(steps):
        if not later.after_seconds > earlier.after_seconds:
            raise ValueError(
                f"the step at {later.after_seconds:g} s comes after the one at {earlier.after_seconds:g} s; "
                "put the steps in order of time"
            )


def _require_longer_loop(steps: tuple[Step, ...], loop_seconds: float) -> None:
    if not steps:
        raise ValueError("a loop needs steps to repeat")
    span = steps[-1].after_seconds - steps[0].after_seconds
    if not (math.isfinite(loop_seconds) and loop_seconds > span):
        raise ValueError(f"a loop of {loop_seconds:g} s is not longer than its steps, which take {span:g} s")


class ServiceType(StrEnum):
    """The type of a service: trained on request, or every few hours (page "Get service")."""

    BATCH = "batch"
    INTERVAL = "interval"


LEARNING_INTERVALS: Final = ("hour1", "hour3", "hour6", "hour12")
"""The values of ``learningInterval`` (page "Edit update cycle")."""
_USUAL_INTERVAL: Final = "hour6"


@dataclass(frozen=True, slots=True, kw_only=True)
class Update:
    """One update of a version, with its steps: an interval service trains a version again and again."""

    version: str
    life: Life
    users: int = 1000
    """The ``inputUsersCnt`` of its result."""
    due_seconds: float | None = None
    """The planned time of its first step; ``None`` where it is not late."""

    def __post_init__(self) -> None:
        if self.life.loop_seconds is not None or not self.life.steps:
            raise ValueError("an update has one step or more, and does not loop")

    @property
    def planned_seconds(self) -> float:
        """The planned time of its first step."""
        return self.life.born_seconds if self.due_seconds is None else self.due_seconds

    def finished_seconds(self, seconds: float) -> float | None:
        """Return the time of its end, or ``None`` if it is in progress at that time."""
        step = self.life.step_at(seconds)
        return step.after_seconds if step and is_final(step.status or "") else None

    def with_step(self, step: Step) -> Update:
        """Return the update with its script until ``step``, and with that as its last one."""
        kept = tuple(earlier for earlier in self.life.steps if earlier.after_seconds < step.after_seconds)
        return replace(self, life=Life((*kept, step)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """One version of one type of a service, with its steps."""

    type: str
    version: str
    life: Life = field(default_factory=Life)
    description: str | None = None
    hp_config: Mapping[str, object] = field(default_factory=lambda: NO_HPO, hash=False)
    created_date: str | None = None
    """The ``createdDate`` in answers; ``None`` means the time of the first step."""
    updates: tuple[Update, ...] = ()
    """Only a service of type ``interval`` has updates."""

    def __post_init__(self) -> None:
        _reject_duplicates([update.version for update in self.updates], "update")


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedService:
    """A service and its trainings."""

    id: str
    name: str
    type: ServiceType = ServiceType.BATCH
    interval: str | None = None
    """One of ``LEARNING_INTERVALS``, for the type ``interval`` only; ``None`` means every six hours."""
    status: str | None = None
    """The status of the service itself; ``None`` derives it from its trainings."""
    description: str | None = None
    trainings: tuple[Training, ...] = ()

    def __post_init__(self) -> None:
        _reject_invalid_interval(self.type, self.interval)
        _reject_updates(self.type, self.trainings)
        _reject_duplicates([f"{training.type}/{training.version}" for training in self.trainings], "training")

    @property
    def learning_interval(self) -> str | None:
        """The field ``learningInterval``, or ``None`` for a service without it."""
        return (self.interval or _USUAL_INTERVAL) if self.type is ServiceType.INTERVAL else None

    @property
    def interval_seconds(self) -> float | None:
        """The time of one cycle, or ``None`` for a service without it."""
        interval = self.learning_interval
        return None if interval is None else 3600.0 * int(interval.removeprefix("hour"))


def _reject_invalid_interval(service_type: ServiceType, interval: str | None) -> None:
    if interval is None:
        return
    if service_type is not ServiceType.INTERVAL:
        raise ValueError('interval: only for a service of type "interval"')
    if interval not in LEARNING_INTERVALS:
        raise ValueError(f"interval: there is no {interval!r}; write one of {', '.join(LEARNING_INTERVALS)}")


def _reject_updates(service_type: ServiceType, trainings: tuple[Training, ...]) -> None:
    if service_type is not ServiceType.INTERVAL and any(training.updates for training in trainings):
        raise ValueError('updates: only for a service of type "interval"')


@dataclass(frozen=True, slots=True)
class World:
    """All services and trainings of a simulated account."""

    services: tuple[SimulatedService, ...] = ()

    def __post_init__(self) -> None:
        _reject_duplicates([service.id for service in self.services], "service")


def _reject_duplicates(names: list[str], noun: str) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise ValueError(f"the {noun} {name!r} is there twice; give each one its own name")
        seen.add(name)
