"""The pace of one channel, shared by every receiver that it leads to."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from watcher.flow.ports import Clock


class Lane:
    """The pace of one channel: attempts start at least so far apart."""

    def __init__(self, pace_seconds: float, now: float) -> None:
        self.pace_seconds = pace_seconds
        self.turn = asyncio.Lock()
        # A process that died may have sent a moment ago.
        self._free_at = now + pace_seconds

    async def free(self, clock: Clock, stopping: asyncio.Event) -> None:
        """Sleep until the next attempt may start, or none is wanted any more; later pauses are heeded too."""
        wait = self._free_at - clock.monotonic()
        while wait > 0 and not stopping.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(stopping.wait(), wait)
            wait = self._free_at - clock.monotonic()

    def is_paused(self, now: float) -> bool:
        """Say whether the receiver asked for more patience than the pace."""
        return self._free_at - now > self.pace_seconds + 1.0

    def take(self, now: float) -> None:
        """Note that an attempt starts."""
        self.pause(now, self.pace_seconds)

    def pause(self, now: float, seconds: float) -> None:
        """Keep the lane free for so long."""
        self._free_at = max(self._free_at, now + seconds)
