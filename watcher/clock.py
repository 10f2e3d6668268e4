"""The machine's clocks; no other module reads them."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Final

STEP_SECONDS: Final = 1.0
"""A difference between wall and monotonic time that counts as a step; slewing stays far below it."""


class Clock:
    """The wall clock and the monotonic clock; tests pass their own."""

    def utc_now(self) -> datetime:
        """Return the wall clock's time, timezone-aware and in UTC; it may step."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return seconds that never step, for intervals and deadlines."""
        return time.monotonic()
