"""Series of versions: a type that is trained again and again, and updates of one version.

Pure: the caller draws the random numbers and seeds them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise, takewhile
from typing import Final

from watcher.core.training.model import Status
from watcher.simulator.invented.draws import Draw, LogNormal, identifier, require_share
from watcher.simulator.invented.hp_configs import hp_configs
from watcher.simulator.invented.lives import Course, random_life
from watcher.simulator.world import NO_HPO, Life, Step, Training, Update

_DAY_SECONDS: Final = 86_400.0
_USERS: Final = (500, 1500)
"""The range of the number of users in the result of an update."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trend:
    """The factor of the duration of ``learning`` as a function of time."""

    growth: float = 0.0
    """The growth in one day: 0.01 means one per cent a day."""
    levels: tuple[tuple[float, float], ...] = ()
    """Pairs of a time in seconds and the factor from that time on, in order of time."""

    def __post_init__(self) -> None:
        if self.growth <= -1:
            raise ValueError(f"growth: {self.growth:g} leaves no duration; give more than -1")
        if any(factor <= 0 for _, factor in self.levels):
            raise ValueError("level: a factor is more than 0")
        if any(later <= earlier for (earlier, _), (later, _) in pairwise(self.levels)):
            raise ValueError("level: put the levels in order of time")

    def factor(self, seconds: float) -> float:
        """Return the factor at a time."""
        level = next((factor for begins, factor in reversed(self.levels) if begins <= seconds), 1.0)
        return float(level * (1 + self.growth) ** (seconds / _DAY_SECONDS))


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdatePlan:
    """The updates of one version: when they begin, how long they take and how they end."""

    every_seconds: float
    """From one planned start to the next."""
    first_seconds: float | None = None
    """The planned time of the first one; ``None`` means ``every_seconds`` after the training has completed."""
    count: int = 100
    duration: LogNormal
    failures: float = 0.0
    """The share of updates that fail."""
    late: float = 0.0
    """The share of updates that begin late."""
    late_seconds: float | None = None
    """The delay of a late one; ``None`` means half of ``every_seconds``."""
    until_seconds: float | None = None
    """No update begins at that time or later; ``None`` means that only ``count`` ends them."""

    def __post_init__(self) -> None:
        if self.every_seconds <= 0:
            raise ValueError("every: a cycle is more than 0s")
        require_share("failures", self.failures)
        require_share("late", self.late)


def planned_updates(draw: Draw, plan: UpdatePlan, life: Life) -> tuple[Update, ...]:
    """Return the updates of a training with this life; none if the plan has no first one and it never completes."""
    first = _first_update(plan, life)
    if first is None:
        return ()
    until = math.inf if plan.until_seconds is None else plan.until_seconds
    due = takewhile(lambda seconds: seconds < until, (first + n * plan.every_seconds for n in range(plan.count)))
    updates = (_update(draw, plan, seconds) for seconds in due)
    return tuple(update for update in updates if update.life.born_seconds < until)


def _first_update(plan: UpdatePlan, life: Life) -> float | None:
    if plan.first_seconds is not None:
        return plan.first_seconds
    completed = completed_seconds(life)
    return None if completed is None else completed + plan.every_seconds


def completed_seconds(life: Life) -> float | None:
    """Return the time at which a training first completes, or ``None``."""
    return next((step.after_seconds for step in life.steps if step.status == Status.COMPLETED), None)


def _update(draw: Draw, plan: UpdatePlan, due_seconds: float) -> Update:
    is_late, has_failed = draw() < plan.late, draw() < plan.failures
    half = plan.every_seconds / 2
    delay = (half if plan.late_seconds is None else plan.late_seconds) if is_late else 0.0
    begins = due_seconds + delay
    end = Status.LEARNING_FAILED if has_failed else Status.COMPLETED
    least, most = _USERS
    return Update(
        version=identifier(draw),
        life=Life((Step(begins, Status.LEARNING), Step(begins + plan.duration.seconds(draw), end))),
        users=least + int(draw() * (most - least)),
        due_seconds=due_seconds,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """The successive versions of one type of a service."""

    type: str
    every_seconds: float
    """From one request to the next."""
    first_seconds: float = 0.0
    count: int = 100
    course: Course
    trend: Trend = Trend()
    hp_config: Mapping[str, object] = field(default_factory=lambda: NO_HPO, hash=False)
    """The ``hpConfig`` of the first version."""
    hp_changes: float = 0.0
    """The share of versions in which one option differs from the version before."""
    updates: UpdatePlan | None = None
    """The updates of each completed version, until the next one has completed."""

    def __post_init__(self) -> None:
        if self.every_seconds <= 0:
            raise ValueError("every: the time between two versions is more than 0s")
        require_share("hp_changes", self.hp_changes)


def versions_of(draw: Draw, series: Series) -> tuple[Training, ...]:
    """Return the versions of a series, in order of time."""
    trainings = tuple(iterate_versions(draw, series))
    return trainings if series.updates is None else with_updates(draw, series.updates, trainings)


def iterate_versions(draw: Draw, series: Series) -> Iterator[Training]:
    """Yield the versions of a series without their updates, in order of time."""
    configs = hp_configs(draw, series.type, series.hp_config, series.hp_changes)
    for number in range(series.count):
        begins = series.first_seconds + number * series.every_seconds
        yield Training(
            type=series.type,
            version=identifier(draw),
            life=random_life(draw, begins, series.course, series.trend.factor(begins)),
            hp_config=next(configs),
        )


def with_updates(draw: Draw, plan: UpdatePlan, trainings: Sequence[Training]) -> tuple[Training, ...]:
    """Return the trainings, in order of time, with updates of each: they end when a later one has completed."""
    until_seconds = plan.until_seconds
    updated: list[Training] = []
    for training in reversed(trainings):
        own = replace(plan, first_seconds=None, until_seconds=until_seconds)
        updated.append(replace(training, updates=planned_updates(draw, own, training.life)))
        completed = completed_seconds(training.life)
        until_seconds = _earlier(until_seconds, completed)
    return tuple(reversed(updated))


def _earlier(one: float | None, other: float | None) -> float | None:
    given = [seconds for seconds in (one, other) if seconds is not None]
    return min(given, default=None)
