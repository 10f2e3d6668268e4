"""A wait that ends after a time, or earlier by a wake-up."""

from __future__ import annotations

import asyncio


class Wake:
    """A hint that there may be work. A lost or doubled hint does no harm, since the rows in the store decide."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def tick(self) -> None:
        """End the current or the next wait."""
        self._event.set()

    async def wait(self, timeout_seconds: float) -> None:
        """Wait for a hint, at most this long."""
        try:
            async with asyncio.timeout(max(timeout_seconds, 0.0)):
                await self._event.wait()
        except TimeoutError:
            return
        self._event.clear()
