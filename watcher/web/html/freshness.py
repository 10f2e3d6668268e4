"""Keeps what was read for a page for a moment: many requests cost one read of the store."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from typing import Final, Generic, TypeVar

Value = TypeVar("Value")

FRESH_SECONDS: Final = 1.0
KEPT: Final = 32
"""Pages that are kept; the one that was asked for longest ago is dropped."""


class Kept(Generic[Value]):
    """Values by key, each read at most once a second, however many ask for it."""

    def __init__(self, monotonic: Callable[[], float], fresh_seconds: float = FRESH_SECONDS) -> None:
        self._monotonic = monotonic
        self._fresh_seconds = fresh_seconds
        self._tasks: OrderedDict[Hashable, tuple[float, asyncio.Task[Value]]] = OrderedDict()

    def clear(self) -> None:
        """Read everything anew: somebody has changed something."""
        self._tasks.clear()

    async def get(self, key: Hashable, read: Callable[[], Awaitable[Value]]) -> Value:
        """Return a value that is at most a second old; requests that come together share one read."""
        now = self._monotonic()
        known = self._tasks.get(key)
        if known is None or (known[1].done() and (now - known[0] >= self._fresh_seconds or _has_failed(known[1]))):
            known = now, asyncio.ensure_future(_awaited(read))
            self._tasks[key] = known
        self._tasks.move_to_end(key)
        while len(self._tasks) > KEPT:
            self._tasks.popitem(last=False)
        # A request that ends early must not end the read for the others.
        return await asyncio.shield(known[1])


async def _awaited(read: Callable[[], Awaitable[Value]]) -> Value:
    return await read()


def _has_failed(task: asyncio.Task[Value]) -> bool:
    return task.cancelled() or task.exception() is not None
