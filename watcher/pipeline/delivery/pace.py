"""The pace of one channel, shared by every receiver that it leads to."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from watcher.pipeline.ports import Clock


class ChannelPace:
    """The pace of one channel: attempts start at least so far apart."""

    def __init__(self, pace_seconds: float, now: float) -> None:
        self.pace_seconds = pace_seconds
        self.turn = asyncio.Lock()
        # A process that died may have sent a moment ago.
        self._free_at = now + pace_seconds

    async def free(self, clock: Clock, stopping: asyncio.Event) -> bool:
        """Sleep until the next attempt may start; ``False`` when that is a pause away, or none is wanted any more."""
        while not stopping.is_set() and not self.is_paused(clock.monotonic()):
            wait = self.wait_seconds(clock.monotonic())
            if wait <= 0:
                return True
            with suppress(TimeoutError):
                await asyncio.wait_for(stopping.wait(), wait)
        return False

    def wait_seconds(self, now: float) -> float:
        """Return how long it is until the next attempt may start."""
        return self._free_at - now

    def is_paused(self, now: float) -> bool:
        """Say whether the receiver asked for more patience than the pace."""
        return self.wait_seconds(now) > self.pace_seconds + 1.0

    def take(self, now: float) -> None:
        """Note that an attempt starts."""
        self.pause(now, self.pace_seconds)

    def pause(self, now: float, seconds: float) -> None:
        """Keep the lane free for so long."""
        self._free_at = max(self._free_at, now + seconds)
