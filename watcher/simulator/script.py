"""Script files in TOML: services, their trainings with statuses over time, and faults.

Unknown keys, wrong types and misspelt statuses are rejected, all at once, each with file and key.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    ValidationInfo,
    model_validator,
)

from watcher.core.training.model import TRAIN_TYPES, Status
from watcher.simulator.durations import Seconds
from watcher.simulator.faults.model import FaultModel
from watcher.simulator.faults.plan import Fault
from watcher.simulator.world import Life, ServiceType, SimulatedService, Step, Training, Update, World

_UNKNOWN_WORDS: Final = "unknown_words"


class ScriptError(Exception):
    """A script file is invalid; the message lists every fault with file and key."""

    def __init__(self, path: Path, faults: list[str]) -> None:
        super().__init__("\n".join(f"{path}: {fault}" for fault in faults))
        self.faults = tuple(faults)


@dataclass(frozen=True, slots=True)
class Script:
    """The content of a script file."""

    world: World
    faults: tuple[Fault, ...] = ()


def load_script(path: Path) -> Script:
    """Read a script file.

    Raises:
        ScriptError: the file is unreadable, is not TOML, or has an invalid value.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ScriptError(path, [f"cannot be read: {error}"]) from error
    return parse_script(text, path)


def parse_script(text: str, path: Path) -> Script:
    """Read the text of a script; ``path`` only serves the messages.

    Raises:
        ScriptError: the text is not TOML, or has an invalid value.
    """
    try:
        document = tomllib.loads(text)
        lenient = document.get(_UNKNOWN_WORDS) is True
        return _ScriptModel.model_validate(document, context={_UNKNOWN_WORDS: lenient}).script()
    except tomllib.TOMLDecodeError as error:
        raise ScriptError(path, [f"is not TOML: {error}"]) from error
    except ValidationError as error:
        raise ScriptError(path, [_error_text(detail) for detail in error.errors()]) from error


def _error_text(detail: Any) -> str:  # noqa: ANN401 - pydantic's own dictionary
    key = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in detail["loc"]).removeprefix(".")
    return f"{key or 'the file'}: {detail['msg'].removeprefix('Value error, ')}"


def _known_status(word: str, info: ValidationInfo) -> str:
    return _known(word, tuple(Status), "a status", info)


def _known_type(word: str, info: ValidationInfo) -> str:
    return _known(word, TRAIN_TYPES, "a training's type", info)


def _known(word: str, words: tuple[str, ...], noun: str, info: ValidationInfo) -> str:
    lenient = bool(info.context and info.context[_UNKNOWN_WORDS])
    if word not in words and not lenient:
        raise ValueError(f"{word!r} is not {noun}; write one of {', '.join(words)}, or set {_UNKNOWN_WORDS} = true")
    return word


_Name = Annotated[str, StringConstraints(min_length=1)]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class _StepModel(_Model):
    at: Seconds
    status: Annotated[_Name, AfterValidator(_known_status)] | None = None
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
    status: Annotated[_Name, AfterValidator(_known_status)]


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


def _no_hpo() -> dict[str, str | bool | int | float]:
    return {"is_enabled": False}


class _TrainingModel(_Model):
    type: Annotated[_Name, AfterValidator(_known_type)]
    version: _Name
    life: list[_StepModel]
    loop: Seconds | None = None
    description: str | None = None
    hp_config: dict[str, str | bool | int | float] = Field(default_factory=_no_hpo)
    created_date: str | None = None
    update: list[_UpdateModel] = Field(default_factory=list)

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


class _ServiceModel(_Model):
    id: _Name
    name: str | None = None
    type: ServiceType = Field(default=ServiceType.BATCH, strict=False)
    interval: str | None = None
    status: _Name | None = None
    description: str | None = None
    training: list[_TrainingModel] = Field(default_factory=list)

    @model_validator(mode="after")
    def _reject_invalid(self) -> Self:
        self.service()
        return self

    def service(self) -> SimulatedService:
        return SimulatedService(
            id=self.id,
            name=self.name or self.id,
            type=self.type,
            interval=self.interval,
            status=self.status,
            description=self.description,
            trainings=tuple(training.training() for training in self.training),
        )


class _ScriptModel(_Model):
    unknown_words: bool = False
    service: list[_ServiceModel] = Field(default_factory=list)
    fault: list[FaultModel] = Field(default_factory=list)

    @model_validator(mode="after")
    def _reject_duplicates(self) -> Self:
        self.script()
        return self

    def script(self) -> Script:
        world = World(tuple(service.service() for service in self.service))
        return Script(world, tuple(fault.fault() for fault in self.fault))
