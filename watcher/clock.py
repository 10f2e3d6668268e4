"""The one place where the clocks are read."""

from __future__ import annotations

import time
from datetime import UTC, datetime


class Clock:
    """The machine's clocks; tests hand in their own."""

    def utc_now(self) -> datetime:
        """Return the wall clock's time, aware and in UTC; it may step."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return seconds that never step; intervals and deadlines run on it."""
        return time.monotonic()
