"""A clock that stands still until a test moves it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

START = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)


class FakeClock:
    """Wall and monotonic time in step; they begin at ``START`` and at 1,000 s."""

    def __init__(self) -> None:
        self._passed_seconds = 0.0

    def utc_now(self) -> datetime:
        """Return the wall clock's time."""
        return START + timedelta(seconds=self._passed_seconds)

    def monotonic(self) -> float:
        """Return the monotonic clock's time."""
        return 1000.0 + self._passed_seconds

    def pass_seconds(self, seconds: float) -> None:
        """Let time pass."""
        self._passed_seconds += seconds
