"""When a training counts as stuck, as a watch configures it: by learned limits, by limits of its own, or never."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from types import MappingProxyType


class StuckRule(StrEnum):
    """A rule without a duration."""

    LEARNED = "learned"
    NEVER = "never"


StageRule = timedelta | StuckRule


@dataclass(frozen=True, slots=True, kw_only=True)
class StuckRules:
    """The rules of a watch: ``stuck_after``."""

    usual: StageRule = StuckRule.LEARNED
    """The rule of every stage that has none of its own."""
    stages: Mapping[str, StageRule] = field(default_factory=lambda: MappingProxyType({}), hash=False)
    """The rules of single stages, by their status."""

    def of(self, status: str) -> StageRule:
        """Return the rule of a stage."""
        return self.stages.get(status, self.usual)

    @property
    def learns_runs(self) -> bool:
        """Whether a whole run has a learned limit: not where one duration stands for every stage."""
        return self.usual is StuckRule.LEARNED


LEARNED_RULES = StuckRules()
