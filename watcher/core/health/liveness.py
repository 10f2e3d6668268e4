"""Liveness: each loop announces its next progress; a loop that misses that time hangs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

UNBOUNDED: Final = math.inf
"""The time of a wait without a limit, e.g. for a paced channel; such a loop is never late."""
PATIENCE_SECONDS: Final = 45.0
"""The tolerated lateness of a loop; it allows for a bounded wait for the store (30 s)."""


@dataclass(frozen=True, slots=True)
class LoopDeadline:
    """The latest progress of a loop and the time of its next, in monotonic seconds."""

    progressed_at: float
    due_by: float


class LoopMonitor:
    """Keeps the latest progress of each loop; the caller passes monotonic times."""

    def __init__(self) -> None:
        self._deadlines: dict[str, LoopDeadline] = {}

    def progressed(self, loop: str, within_seconds: float, now: float) -> None:
        """Record progress of a loop, with the time within which it makes progress again."""
        self._deadlines[loop] = LoopDeadline(now, now + within_seconds)

    def ended(self, loop: str) -> None:
        """Remove a loop that has stopped as planned."""
        self._deadlines.pop(loop, None)

    def ages(self, now: float) -> Mapping[str, float]:
        """Return the seconds since each loop made progress."""
        return {loop: now - deadline.progressed_at for loop, deadline in self._deadlines.items()}

    def late(self, now: float, patience_seconds: float = PATIENCE_SECONDS) -> Mapping[str, float]:
        """Return the overdue loops, each with the seconds that it is overdue."""
        overdue = {loop: now - deadline.due_by for loop, deadline in self._deadlines.items()}
        return {loop: seconds for loop, seconds in overdue.items() if seconds > patience_seconds}
