"""The tables of a script file as they are written, with the values that they accept."""

from __future__ import annotations

import math
import random
from dataclasses import replace
from typing import Annotated, Final, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, ValidationInfo, model_validator

from watcher.core.training.model import TRAIN_TYPES, Status
from watcher.simulator.faults.model import FaultModel
from watcher.simulator.faults.plan import Fault
from watcher.simulator.invented.draws import Draw, LogNormal
from watcher.simulator.invented.durations import Seconds
from watcher.simulator.invented.lives import Course
from watcher.simulator.invented.series import Series, Trend, UpdatePlan, planned_updates, versions_of
from watcher.simulator.world import Life, ServiceType, SimulatedService, Step, Training, Update, World

UNKNOWN_WORDS: Final = "unknown_words"
"""The key that allows statuses and types that AiTEMS does not have; also that of the validation's context."""


def _known_status(word: str, info: ValidationInfo) -> str:
    return _known(word, tuple(Status), "a status", info)


def _known_type(word: str, info: ValidationInfo) -> str:
    return _known(word, TRAIN_TYPES, "a training's type", info)


def _known(word: str, words: tuple[str, ...], noun: str, info: ValidationInfo) -> str:
    lenient = bool(info.context and info.context[UNKNOWN_WORDS])
    if word not in words and not lenient:
        raise ValueError(f"{word!r} is not {noun}; write one of {', '.join(words)}, or set {UNKNOWN_WORDS} = true")
    return word


_Name = Annotated[str, StringConstraints(min_length=1)]
_Status = Annotated[_Name, AfterValidator(_known_status)]
_Type = Annotated[_Name, AfterValidator(_known_type)]
_HpConfig = dict[str, str | bool | int | float]
_Share = Annotated[float, Field(ge=0, le=1)]
_Count = Annotated[int, Field(ge=1, le=10_000)]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class _StepModel(_Model):
    at: Seconds
    status: _Status | None = None
    gone: bool = False
    inference: bool | None = None

    @model_validator(mode="after")
    def _require_one(self) -> Self:
        if (self.status is None) is not self.gone:
            raise ValueError("give either a status or gone = true")
        return self

    def step(self) -> Step:
        return Step(self.at, self.status, self.inference)


class _UpdateStepModel(_Model):
    at: Seconds
    status: _Status


class _UpdateModel(_Model):
    version: _Name
    life: list[_UpdateStepModel]
    users: int = Field(default=1000, ge=0)

    @model_validator(mode="after")
    def _reject_invalid(self) -> Self:
        self.update()
        return self

    def update(self) -> Update:
        steps = tuple(Step(step.at, step.status) for step in self.life)
        return Update(version=self.version, life=Life(steps), users=self.users)


class _SpreadModel(_Model):
    median: Seconds
    variation: float = 0.3

    @model_validator(mode="after")
    def _reject_invalid(self) -> Self:
        self.distribution()
        return self

    def distribution(self) -> LogNormal:
        return LogNormal(self.median, self.variation)


class _UpdatePlanModel(_Model):
    every: Seconds | None = None
    first: Seconds | None = None
    count: _Count = 100
    duration: _SpreadModel
    failures: _Share = 0.0
    late: _Share = 0.0
    late_by: Seconds | None = None
    until: Seconds | None = None

    @model_validator(mode="after")
    def _reject_invalid(self) -> Self:
        self.plan(1.0)
        return self

    def plan(self, interval_seconds: float) -> UpdatePlan:
        return UpdatePlan(
            every_seconds=interval_seconds if self.every is None else self.every,
            first_seconds=self.first,
            count=self.count,
            duration=self.duration.distribution(),
            failures=self.failures,
            late=self.late,
            late_seconds=self.late_by,
            until_seconds=self.until,
        )


def _no_hpo() -> _HpConfig:
    return {"is_enabled": False}


class _TrainingModel(_Model):
    type: _Type
    version: _Name
    life: list[_StepModel]
    loop: Seconds | None = None
    description: str | None = None
    hp_config: _HpConfig = Field(default_factory=_no_hpo)
    created_date: str | None = None
    update: list[_UpdateModel] = Field(default_factory=list)
    update_plan: _UpdatePlanModel | None = None

    @model_validator(mode="after")
    def _reject_invalid(self) -> Self:
        self.training()
        return self

    def training(self) -> Training:
        return Training(
            type=self.type,
            version=self.version,
            life=Life(tuple(step.step() for step in self.life), self.loop),
            description=self.description,
            hp_config=self.hp_config,
            created_date=self.created_date,
            updates=tuple(update.update() for update in self.update),
        )

    def updated(self, interval_seconds: float | None, draw: Draw) -> Training:
        """Return the training with the updates of its plan."""
        training = self.training()
        if self.update_plan is None or interval_seconds is None:
            return training
        planned = planned_updates(draw, self.update_plan.plan(interval_seconds), training.life)
        return replace(training, updates=(*training.updates, *planned))


class _LevelModel(_Model):
    at: Seconds
    factor: float


class _SeriesModel(_Model):
    type: _Type
    every: Seconds
    first: Seconds = 0.0
    count: _Count = 100
    requesting: _SpreadModel = _SpreadModel(median=20.0)
    waiting: _SpreadModel = _SpreadModel(median=60.0)
    learning: _SpreadModel
    failures: _Share = 0.0
    hangs: _Share = 0.0
    hang_for: Seconds | None = None
    result_after: _SpreadModel | None = None
    without_result: _Share = 0.0
    growth: float = 0.0
    level: list[_LevelModel] = Field(default_factory=list)
    hp_config: _HpConfig = Field(default_factory=_no_hpo)
    hp_changes: _Share = 0.0
    update_plan: _UpdatePlanModel | None = None

    @model_validator(mode="after")
    def _reject_invalid(self) -> Self:
        self.series(None)
        return self

    @model_validator(mode="after")
    def _reject_first_update(self) -> Self:
        if self.update_plan is not None and self.update_plan.first is not None:
            raise ValueError("update_plan: a series has no first; its updates follow each completed version")
        return self

    def series(self, interval_seconds: float | None) -> Series:
        plan = self.update_plan if interval_seconds is not None else None
        return Series(
            type=self.type,
            every_seconds=self.every,
            first_seconds=self.first,
            count=self.count,
            course=self._course(),
            trend=Trend(growth=self.growth, levels=tuple((level.at, level.factor) for level in self.level)),
            hp_config=self.hp_config,
            hp_changes=self.hp_changes,
            updates=plan.plan(interval_seconds) if plan and interval_seconds is not None else None,
        )

    def _course(self) -> Course:
        return Course(
            requesting=self.requesting.distribution(),
            waiting=self.waiting.distribution(),
            learning=self.learning.distribution(),
            failures=self.failures,
            hangs=self.hangs,
            hang_seconds=math.inf if self.hang_for is None else self.hang_for,
            result=self.result_after.distribution() if self.result_after else None,
            without_result=self.without_result,
        )


class _ServiceModel(_Model):
    id: _Name
    name: str | None = None
    type: ServiceType = Field(default=ServiceType.BATCH, strict=False)
    interval: str | None = None
    status: _Name | None = None
    description: str | None = None
    training: list[_TrainingModel] = Field(default_factory=list)
    series: list[_SeriesModel] = Field(default_factory=list)

    @model_validator(mode="after")
    def _reject_invalid(self) -> Self:
        self.service()
        plans = [training.update_plan for training in self.training] + [series.update_plan for series in self.series]
        if self.type is not ServiceType.INTERVAL and any(plans):
            raise ValueError('update_plan: only for a service of type "interval"')
        return self

    def drawn(self, seed: int) -> SimulatedService:
        """Return the service with its series and planned updates; each has random numbers of its own."""
        service = self.service()
        every = service.interval_seconds
        trainings = [
            training.updated(every, _draw(seed, self.id, training.type, training.version)) for training in self.training
        ]
        for number, part in enumerate(self.series):
            trainings += versions_of(_draw(seed, self.id, part.type, str(number)), part.series(every))
        return replace(service, trainings=tuple(trainings))

    def service(self) -> SimulatedService:
        """Return the service with its single trainings."""
        return SimulatedService(
            id=self.id,
            name=self.name or self.id,
            type=self.type,
            interval=self.interval,
            status=self.status,
            description=self.description,
            trainings=tuple(training.training() for training in self.training),
        )


def _draw(seed: int, *place: str) -> Draw:
    return random.Random("/".join((str(seed), *place))).random  # noqa: S311 - a made-up world needs no secrecy


class ScriptTable(_Model):
    """The whole file."""

    unknown_words: bool = False
    seed: int = 0
    service: list[_ServiceModel] = Field(default_factory=list)
    fault: list[FaultModel] = Field(default_factory=list)

    @model_validator(mode="after")
    def _reject_duplicates(self) -> Self:
        World(tuple(service.service() for service in self.service))
        return self

    def world(self, seed: int | None) -> World:
        """Return the services; ``seed`` replaces that of the file if given."""
        return World(tuple(service.drawn(self.seed if seed is None else seed) for service in self.service))

    def faults(self) -> tuple[Fault, ...]:
        """Return the faults, in their order."""
        return tuple(fault.fault() for fault in self.fault)
