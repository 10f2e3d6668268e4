"""Keeps the value that was read for a page: many requests cost one read of the store, a costly one less often."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from watcher.web.cpu_time import CpuTime, counting

Value = TypeVar("Value")

FRESH_SECONDS: Final = 1.0
"""A value that is older is read anew, unless its read was costly."""
REST: Final = 20.0
"""A value stays fresh for so many times the CPU time of its read: the reads of a page take a twentieth of a core."""
FRESH_SECONDS_MAX: Final = 10.0
"""A value that is older is read anew, however costly its read is."""
STALE: Final = 3.0
"""Up to this multiple of that age, it is returned while the next one is read, so that nobody waits."""
KEPT: Final = 32
"""Pages that are kept; the one that was asked for longest ago is dropped."""


@dataclass(slots=True)
class _Entry(Generic[Value]):
    at: float
    """The begin of the read, in monotonic seconds."""
    task: asyncio.Task[Value]
    cost: CpuTime
    """The CPU time of the read."""
    older: _Older[Value] | None
    """The value of the read before, which is returned until this one has ended."""

    @property
    def fresh_seconds(self) -> float:
        """How long the value is fresh."""
        return min(max(FRESH_SECONDS, REST * self.cost.seconds), FRESH_SECONDS_MAX)


@dataclass(frozen=True, slots=True)
class _Older(Generic[Value]):
    value: Value
    until: float
    """When it is too old to be returned, in monotonic seconds."""


class Kept(Generic[Value]):
    """Values by key, each read at most once a second, however many ask for it; a costly one less often."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._entries: OrderedDict[Hashable, _Entry[Value]] = OrderedDict()

    def clear(self) -> None:
        """Read everything anew: somebody has changed something."""
        self._entries.clear()

    async def get(self, key: Hashable, read: Callable[[], Awaitable[Value]]) -> Value:
        """Return a value that is fresh, or was lately; requests that come together share one read."""
        now = self._monotonic()
        entry = self._entries.get(key)
        if entry is None or _is_over(entry, now):
            entry = self._entries[key] = _next_entry(entry, now, read)
        self._entries.move_to_end(key)
        while len(self._entries) > KEPT:
            self._entries.popitem(last=False)
        if entry.older is not None and not entry.task.done() and now < entry.older.until:
            return entry.older.value
        # A request that ends early must not end the read for the others.
        return await asyncio.shield(entry.task)


async def _counted(read: Callable[[], Awaitable[Value]], cost: CpuTime) -> Value:
    # In the context of its own task: what it awaits of another value that is kept counts there.
    with counting(cost):
        return await read()


def _is_over(entry: _Entry[Value], now: float) -> bool:
    return entry.task.done() and (now - entry.at >= entry.fresh_seconds or _has_failed(entry.task))


def _next_entry(before: _Entry[Value] | None, now: float, read: Callable[[], Awaitable[Value]]) -> _Entry[Value]:
    cost = CpuTime()
    task = asyncio.ensure_future(_counted(read, cost))
    # Nobody may be waiting for it: a failure that nobody reads would be logged as lost.
    task.add_done_callback(_has_failed)
    if before is None or _has_failed(before.task):
        return _Entry(now, task, cost, None)
    until = before.at + STALE * before.fresh_seconds
    return _Entry(now, task, cost, _Older(before.task.result(), until))


def _has_failed(task: asyncio.Task[Value]) -> bool:
    return task.cancelled() or task.exception() is not None
