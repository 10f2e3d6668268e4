"""One helper to sleep with: until a time is up or somebody has something to do for us."""

from __future__ import annotations

import asyncio


class Wake:
    """A hint that there may be work; losing or doubling one does no harm, since the rows are the truth."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def tick(self) -> None:
        """End the current or the next wait."""
        self._event.set()

    async def wait(self, timeout_seconds: float) -> None:
        """Wait for a ring, at most so long."""
        try:
            async with asyncio.timeout(max(timeout_seconds, 0.0)):
                await self._event.wait()
        except TimeoutError:
            return
        self._event.clear()
