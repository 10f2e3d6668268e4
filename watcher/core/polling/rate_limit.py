"""When the next request may start: at most ceil(rate) in any window of one second, no burst above.

Starts are spread evenly, which is stricter than a bucket that lets a burst through.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Final

WINDOW_SECONDS: Final = 1.0

MARGIN_SECONDS: Final = 0.05
"""Stretches the window, so that it holds where the requests arrive too.

It covers what the way adds to one request and not to another: scheduling, the network's jitter. The time to open a
connection is not among it, as starts are counted when the connection stands.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimiter:
    """Counts starts on a clock that never steps; each start or pause gives a new pacer."""

    spacing_seconds: float
    free_at: float = -math.inf
    """The earliest next start, in seconds of the caller's monotonic clock."""

    @classmethod
    def of_rate(cls, per_second: float, margin_seconds: float = MARGIN_SECONDS) -> RateLimiter:
        """Make the pacer for a rate above 0; below 1 it means one request each ``1 / per_second`` seconds."""
        if not per_second > 0 or math.isinf(per_second):
            raise ValueError(f"requests_per_second must be above 0, not {per_second}")
        in_a_window = math.ceil(per_second)
        return cls(spacing_seconds=max(1 / per_second, (WINDOW_SECONDS + margin_seconds) / in_a_window))

    def wait_seconds(self, now: float) -> float:
        """Return how long to wait before the next start; 0 means now."""
        return max(0.0, self.free_at - now)

    def started(self, now: float) -> RateLimiter:
        """Count a start."""
        return self.paused(now + self.spacing_seconds)

    def paused(self, until: float) -> RateLimiter:
        """Allow no start before ``until``; a pause never ends earlier than one already there."""
        return replace(self, free_at=max(self.free_at, until))
