"""The keys ``expect_every``, ``stale_after`` and ``updates`` of a watch: its retrainings and their updates."""

# No `from __future__ import annotations` here: pydantic reads these annotations when the program runs.

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BeforeValidator, ValidationInfo, WithJsonSchema

from watcher.config.faults import did_you_mean, invalid, quoted
from watcher.config.models.fields import duration_in, frozen_mapping
from watcher.core.training.model import TRAIN_TYPES
from watcher.core.training.overdue import EVERY_TYPE, Expectation, ExpectRule

SHORTEST: Final = timedelta(minutes=10)
LONGEST: Final = timedelta(days=400)
_DURATION: Final = 'write a duration such as "1d"'
_EXPECTATION: Final = 'write "learned", "never", or a duration such as "1d"'


def _schema(rule: Mapping[str, object]) -> dict[str, object]:
    types = {
        "type": "object",
        "properties": dict.fromkeys((*TRAIN_TYPES, EVERY_TYPE), rule),
        "additionalProperties": False,
        "minProperties": 1,
    }
    return {"anyOf": [rule, types]}


_EXPECT_SCHEMA: Final = _schema(
    {
        "type": "string",
        "description": 'A duration such as "1d", "learned" or "never".',
        "examples": [*(rule.value for rule in ExpectRule), "1d"],
    }
)
_STALE_SCHEMA: Final = _schema({"type": "string", "description": 'A duration such as "7d".', "examples": ["7d"]})


def _by_type(rule: Callable[[object, str], Any]) -> Callable[[object], object]:
    def read(value: object) -> object:
        if not isinstance(value, Mapping):
            return {EVERY_TYPE: rule(value, "")}
        if not value:
            raise invalid("names no type", "write one, or take the key out")
        return {name: rule(item, f"{name}: ") for name, item in value.items() if name == EVERY_TYPE or _known(name)}

    return read


def _known(name: str) -> bool:
    if name not in TRAIN_TYPES:
        raise invalid(f"{quoted(name)} is no type of training", did_you_mean(name, TRAIN_TYPES))
    return True


def _expectation(value: object, where: str) -> Expectation:
    if isinstance(value, str) and value in list(ExpectRule):
        return ExpectRule(value)
    return duration_in(value, where, _EXPECTATION, SHORTEST, LONGEST)


def _limit(value: object, where: str) -> timedelta:
    return duration_in(value, where, _DURATION, SHORTEST, LONGEST)


def _for_services(rules: Mapping[str, Any], info: ValidationInfo) -> Mapping[str, Any]:
    if rules:
        _refuse_version(info)
    return frozen_mapping(rules)


def _of_service(value: bool, info: ValidationInfo) -> bool:  # noqa: FBT001 - called by pydantic
    _refuse_version(info)
    return value


def _refuse_version(info: ValidationInfo) -> None:
    if info.data.get("version") is not None:
        raise invalid("stands beside version, so no later training is watched", "move it to a watch of the service")


ExpectEvery = Annotated[
    Mapping[str, Any],
    BeforeValidator(_by_type(_expectation)),
    AfterValidator(_for_services),
    WithJsonSchema(_EXPECT_SCHEMA),
]
StaleAfter = Annotated[
    Mapping[str, Any], BeforeValidator(_by_type(_limit)), AfterValidator(_for_services), WithJsonSchema(_STALE_SCHEMA)
]
Updates = Annotated[bool, AfterValidator(_of_service)]
