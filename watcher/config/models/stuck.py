"""The key ``stuck_after`` of a watch: when one of its trainings may be stuck."""

# No `from __future__ import annotations` here: pydantic reads these annotations when the program runs.

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Final

from pydantic import BeforeValidator, InstanceOf, WithJsonSchema

from watcher.config.faults import did_you_mean, invalid, quoted
from watcher.config.models.fields import duration_in
from watcher.core.training.model import PHASES, Phase
from watcher.core.training.stuck_rules import StageRule, StuckRule, StuckRules

STAGES: Final = tuple(status for status, phase in PHASES.items() if phase is Phase.IN_PROGRESS)
SHORTEST: Final = timedelta(minutes=1)
LONGEST: Final = timedelta(days=30)
_REMEDY: Final = 'write "learned", "never", or a duration such as "6h"'
_RULE_SCHEMA: Final[dict[str, object]] = {
    "type": "string",
    "description": 'A duration such as "6h", "learned" or "never".',
    "examples": [*(rule.value for rule in StuckRule), "6h"],
}
_SCHEMA: Final[dict[str, object]] = {
    "anyOf": [
        _RULE_SCHEMA,
        {
            "type": "object",
            "properties": {str(status): _RULE_SCHEMA for status in STAGES},
            "additionalProperties": False,
            "minProperties": 1,
        },
    ],
}


def _rules(value: object) -> object:
    if isinstance(value, StuckRules):
        return value
    if isinstance(value, Mapping):
        return StuckRules(stages=_stages(value))
    return StuckRules(usual=_rule(value, ""))


def _stages(table: Mapping[str, object]) -> Mapping[str, StageRule]:
    if not table:
        raise invalid("names no stage", 'write one, e.g. { learning = "6h" }, or take the key out')
    for name in table:
        if name not in STAGES:
            raise invalid(f"{quoted(name)} is no stage of a training", did_you_mean(name, map(str, STAGES)))
    return {name: _rule(value, f"{name}: ") for name, value in table.items()}


def _rule(value: object, where: str) -> StageRule:
    if isinstance(value, str) and value in list(StuckRule):
        return StuckRule(value)
    return duration_in(value, where, _REMEDY, SHORTEST, LONGEST)


StuckAfter = Annotated[InstanceOf[StuckRules], BeforeValidator(_rules), WithJsonSchema(_SCHEMA)]
