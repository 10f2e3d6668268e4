"""Keeps the value that was read for a page for a second: many requests cost one read of the store."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

Value = TypeVar("Value")

FRESH_SECONDS: Final = 1.0
"""A value that is older is read anew."""
STALE_SECONDS: Final = 3.0
"""Until then it is returned while the next one is read: nobody waits for a page that others look at, too."""
KEPT: Final = 32
"""Pages that are kept; the one that was asked for longest ago is dropped."""


@dataclass(slots=True)
class _Entry(Generic[Value]):
    at: float
    """The begin of the read, in monotonic seconds."""
    task: asyncio.Task[Value]
    older: Value | None
    """The value of the read before, which is returned until this one has ended."""
    older_at: float


class Kept(Generic[Value]):
    """Values by key, each read at most once a second, however many ask for it."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._entries: OrderedDict[Hashable, _Entry[Value]] = OrderedDict()

    def clear(self) -> None:
        """Read everything anew: somebody has changed something."""
        self._entries.clear()

    async def get(self, key: Hashable, read: Callable[[], Awaitable[Value]]) -> Value:
        """Return a value that is at most three seconds old; requests that come together share one read."""
        now = self._monotonic()
        entry = self._entries.get(key)
        if entry is None or _is_over(entry.task, now - entry.at):
            entry = self._entries[key] = _next_entry(entry, now, read)
        self._entries.move_to_end(key)
        while len(self._entries) > KEPT:
            self._entries.popitem(last=False)
        if entry.older is not None and not entry.task.done() and now - entry.older_at < STALE_SECONDS:
            return entry.older
        # A request that ends early must not end the read for the others.
        return await asyncio.shield(entry.task)


async def _awaited(read: Callable[[], Awaitable[Value]]) -> Value:
    return await read()


def _is_over(task: asyncio.Task[Value], age_seconds: float) -> bool:
    return task.done() and (age_seconds >= FRESH_SECONDS or _has_failed(task))


def _next_entry(before: _Entry[Value] | None, now: float, read: Callable[[], Awaitable[Value]]) -> _Entry[Value]:
    task = asyncio.ensure_future(_awaited(read))
    # Nobody may be waiting for it: a failure that nobody reads would be logged as lost.
    task.add_done_callback(_has_failed)
    if before is None or _has_failed(before.task):
        return _Entry(now, task, None, now)
    return _Entry(now, task, before.task.result(), before.at)


def _has_failed(task: asyncio.Task[Value]) -> bool:
    return task.cancelled() or task.exception() is not None
