"""Whether the loops turn: each says when it will turn again, and one that does not come back hangs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

RESTING: Final = math.inf
"""A loop that waits for what may take any time, e.g. for its turn at a paced receiver, is never late."""
PATIENCE_SECONDS: Final = 45.0
"""How late a loop may be: a bounded wait for the store (30 s) counts as progress."""


@dataclass(frozen=True, slots=True)
class LoopDeadline:
    """The latest turn of a loop, in monotonic seconds."""

    at: float
    again_by: float


class LoopMonitor:
    """The latest turn of each loop; the caller brings the monotonic clock."""

    def __init__(self) -> None:
        self._deadlines: dict[str, LoopDeadline] = {}

    def progressed(self, loop: str, within_seconds: float, now: float) -> None:
        """Note that a loop turns, and that it will again within so long."""
        self._deadlines[loop] = LoopDeadline(now, now + within_seconds)

    def ended(self, loop: str) -> None:
        """Expect nothing more of a loop that has stopped in order."""
        self._deadlines.pop(loop, None)

    def ages(self, now: float) -> Mapping[str, float]:
        """Return how long ago each loop turned, in seconds."""
        return {loop: now - beat.at for loop, beat in self._deadlines.items()}

    def late(self, now: float, patience_seconds: float = PATIENCE_SECONDS) -> Mapping[str, float]:
        """Return the loops that should have turned again, and for how many seconds each is overdue."""
        overdue = {loop: now - beat.again_by for loop, beat in self._deadlines.items()}
        return {loop: seconds for loop, seconds in overdue.items() if seconds > patience_seconds}
