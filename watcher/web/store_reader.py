"""Reads of the store for web requests: in threads, few at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, TypeVar

from watcher.store.views import Views, open_views
from watcher.web.cpu_time import spending

Result = TypeVar("Result")

AT_A_TIME: Final = 2
"""More threads would only take the interpreter's time from the polls."""
WAITING_MAX: Final = 64
"""Requests that wait for a read; one more is refused."""


class ReadsBusyError(Exception):
    """So many requests wait for a read that another one would only wait, too."""


class StoreReader:
    """Opens the store for one read at a time and thread; a daemon writes beside it."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._slots = asyncio.Semaphore(AT_A_TIME)
        self._waiting = 0

    async def __call__(self, read: Callable[[Views], Result]) -> Result:
        """Return the result of a read at one point in time.

        Raises:
            ReadsBusyError: too many requests wait already.
            StoreError: the store cannot be read.
        """
        if self._waiting >= WAITING_MAX:
            raise ReadsBusyError
        self._waiting += 1
        # A request that ends early leaves its slot taken: the thread still reads.
        return await asyncio.shield(self._in_slot(read))

    async def _in_slot(self, read: Callable[[Views], Result]) -> Result:
        try:
            async with self._slots:
                return await asyncio.to_thread(self._read, read)
        finally:
            self._waiting -= 1

    def _read(self, read: Callable[[Views], Result]) -> Result:
        with spending(), open_views(self._url) as views:
            return read(views)
