"""The attempts at one receiver that run at the same time, so that the next ones are leased meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine


class AttemptPool:
    """Running attempts.

    Args:
        on_end: called at the end of each attempt.
    """

    def __init__(self, on_end: Callable[[], None]) -> None:
        self._on_end = on_end
        self._running: set[asyncio.Task[None]] = set()
        self._failed: BaseException | None = None

    def __len__(self) -> int:
        """Return the number of running attempts."""
        return len(self._running)

    def start(self, attempt: Coroutine[object, object, None]) -> None:
        """Run an attempt."""
        task = asyncio.create_task(attempt)
        self._running.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._failed = self._failed or error
        self._on_end()

    def check(self) -> None:
        """Raise the error of an attempt that could not be settled, once."""
        error, self._failed = self._failed, None
        if error is not None:
            raise error

    async def finish(self) -> None:
        """Wait for the running attempts; an error of theirs is raised."""
        await asyncio.gather(*self._running, return_exceptions=True)
        self.check()

    async def cancel(self) -> None:
        """End the running attempts at once; their leases make them uncertain."""
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
