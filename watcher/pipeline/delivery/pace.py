"""Keep the pace of one channel, which every receiver of the channel shares."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from watcher.pipeline.ports import Clock


class ChannelPace:
    """The pace of one channel: attempts start at least ``pace_seconds`` apart."""

    def __init__(self, pace_seconds: float, now: float) -> None:
        self.pace_seconds = pace_seconds
        self.in_use = asyncio.Lock()
        # An earlier process may have sent just before it died.
        self._free_at = now + pace_seconds

    async def free(self, clock: Clock, stopping: asyncio.Event) -> bool:
        """Sleep until the next attempt may start; ``False`` when the channel is paused or the worker stops."""
        while not stopping.is_set() and not self.is_paused(clock.monotonic()):
            wait = self.wait_seconds(clock.monotonic())
            if wait <= 0:
                return True
            with suppress(TimeoutError):
                await asyncio.wait_for(stopping.wait(), wait)
        return False

    def wait_seconds(self, now: float) -> float:
        """Return the seconds until the next attempt may start."""
        return self._free_at - now

    def is_paused(self, now: float) -> bool:
        """Say whether the receiver asked for a longer wait than the pace."""
        return self.wait_seconds(now) > self.pace_seconds + 1.0

    def take(self, now: float) -> None:
        """Note that an attempt starts."""
        self.pause(now, self.pace_seconds)

    def pause(self, now: float, seconds: float) -> None:
        """Start no attempt for so many seconds."""
        self._free_at = max(self._free_at, now + seconds)
