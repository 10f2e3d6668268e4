"""The rate limit of requests: at most ceil(rate) starts in any window of one second, without bursts.

Starts are spread evenly, which is stricter than a token bucket.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

WINDOW_SECONDS: Final = 1.0

MARGIN_SECONDS: Final = 0.05
"""Stretches the window, to keep the limit at the server too.

It covers delays that differ between requests: scheduling and network jitter. The time to open a connection does not
count, because a start is counted once the connection is open.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimiter:
    """An immutable rate limiter on a monotonic clock; each start or pause returns a new one."""

    spacing_seconds: float
    free_at: float = -math.inf
    """The earliest next start, in seconds of the caller's monotonic clock."""

    @classmethod
    def of_rate(cls, per_second: float, margin_seconds: float = MARGIN_SECONDS) -> RateLimiter:
        """Return a limiter for a rate above 0; a rate below 1 means one request each ``1 / per_second`` seconds.

        Raises:
            ValueError: The rate is 0, negative, infinite or no number.
        """
        if not per_second > 0 or math.isinf(per_second):
            raise ValueError(f"requests_per_second must be above 0, not {per_second}")
        in_a_window = math.ceil(per_second)
        return cls(spacing_seconds=max(1 / per_second, (WINDOW_SECONDS + margin_seconds) / in_a_window))

    def wait_seconds(self, now: float) -> float:
        """Return the seconds until the next start; 0 means now."""
        return max(0.0, self.free_at - now)

    def started(self, now: float) -> RateLimiter:
        """Return the limiter after a start."""
        return self.paused(now + self.spacing_seconds)

    def paused(self, until: float) -> RateLimiter:
        """Return the limiter with no start before ``until``; it never shortens an earlier pause."""
        return RateLimiter(spacing_seconds=self.spacing_seconds, free_at=max(self.free_at, until))


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetWait:
    """Requests that wait for the budget of their account."""

    account: str
    calls: int
    """The number of requests that wait."""
    seconds: float
    """The time until the last of them may start."""
    cause: str = ""
    """The cause of a pause that AiTEMS asked for, e.g. ``quota``; empty where only the rate holds them back."""


NO_WAIT: Final = BudgetWait(account="", calls=0, seconds=0.0)
"""No request waits: those that are left are in progress."""
