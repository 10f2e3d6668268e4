"""What one attempt says of its receiver."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Health(StrEnum):
    """What an attempt says of its receiver."""

    REFUSES = "refuses"
    PASSES = "passes"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sign:
    """What an attempt says of its receiver, and in which words."""

    health: Health
    reason: str = ""
    answer: str = ""
    began_at: datetime | None = None
    """When the attempt began, of one that was found by looking it up: it says nothing of what came after."""
