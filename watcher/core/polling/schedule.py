"""The times of polls: fast while something is in progress, slow otherwise, spread at the start."""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from watcher.core.polling.adaptive import RAREST
from watcher.core.training.model import Snapshot

JITTER: Final = 0.1
"""The share of an interval by which a poll may start early. It never starts late on purpose."""
FAST_LIMIT: Final = timedelta(hours=24)
"""The fast interval ends after this time without a change, because ``waiting`` or ``stopping`` may never end."""
FAILURES_BEFORE_BACKOFF: Final = 3
"""Failed polls in a row that keep the interval: short faults are over by then, and incidents open in time."""
MAX_DOUBLINGS: Final = 30
MIN_SPREAD: Final = timedelta(seconds=5)
"""The first polls are spread over this time, or over their interval if that is shorter."""
STARTS_PER_SECOND: Final = 200
"""More polls are spread over more time. Those that start together stay together, and the last of them is late."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cadence:
    """The two intervals of a poll."""

    interval: timedelta
    idle_interval: timedelta
    adapts: bool = False
    """Whether polls are more frequent where an end is likely, and rarer elsewhere: ``interval`` on average."""
    longest_after_failures: timedelta | None = None
    """The longest interval after failed polls; ``None`` for the idle one."""

    @property
    def longest(self) -> timedelta:
        """The longest time between two polls while something is in progress."""
        return min(self.interval * RAREST, max(self.idle_interval, self.interval)) if self.adapts else self.interval


def needs_answer(snapshot: Snapshot) -> bool:
    """Return whether a question about this training is open: its status is not confirmed, or a list lacks it."""
    if snapshot.gone:
        return False
    return snapshot.pending is not None or snapshot.status is None or snapshot.absent > 0


def needs_fast_polls(snapshot: Snapshot, now: datetime) -> bool:
    """Return whether this training needs the fast interval."""
    if snapshot.gone:
        return False
    if needs_answer(snapshot):
        return True
    if not snapshot.may_be_in_progress:
        return False
    return now - (snapshot.changed_before or snapshot.first_seen_at) < FAST_LIMIT


def may_need_fast_polls(snapshot: Snapshot) -> bool:
    """Return whether this training needs the fast interval at some time, unless it changes."""
    return needs_answer(snapshot) or (snapshot.may_be_in_progress and not snapshot.gone)


def interval_for(cadence: Cadence, snapshots: Iterable[Snapshot], now: datetime) -> timedelta:
    """Return the interval until the next poll of these trainings."""
    if any(needs_fast_polls(snapshot, now) for snapshot in snapshots):
        return cadence.interval
    return cadence.idle_interval


def interval_after(cadence: Cadence, failures: int) -> timedelta:
    """Return the interval after consecutive failed polls: the fast one, then doubled up to the longest."""
    doublings = min(max(failures - FAILURES_BEFORE_BACKOFF, 0), MAX_DOUBLINGS)
    longest = cadence.longest_after_failures or cadence.idle_interval
    return max(min(cadence.interval * (1 << doublings), longest), cadence.interval)


def next_start(started: float, finished: float, interval: timedelta, unit: float) -> float:
    """Return the start of the next poll, in monotonic seconds.

    Args:
        started: The start of the last poll.
        finished: Its end. The next never starts earlier, so that polls of one target do not overlap.
        interval: The time between two starts.
        unit: A random number in [0, 1) from the caller, which spreads the polls.
    """
    return max(started + interval.total_seconds() * (1 - JITTER * unit), finished)


def first_start(now: float, index: int, count: int, interval: timedelta) -> float:
    """Return the first start of a poll: spread over a few seconds, and over the interval where there are many.

    Args:
        now: The present, in monotonic seconds.
        index: The position of the poll, from 0.
        count: The number of polls that start.
        interval: The interval of this poll.
    """
    spread = max(MIN_SPREAD.total_seconds(), count / STARTS_PER_SECOND)
    return now + min(interval.total_seconds(), spread) * index / max(count, 1)


class PollSchedule:
    """The next start of each poll, by key; a poll that is in progress has none."""

    def __init__(self) -> None:
        self._starts: dict[str, float] = {}
        self._heap: list[tuple[float, str]] = []

    def put(self, key: str, start: float) -> None:
        """Set the next start of ``key``, in monotonic seconds; replaces an earlier one."""
        self._starts[key] = start
        heapq.heappush(self._heap, (start, key))

    def bring_forward(self, key: str, start: float) -> None:
        """Move the next start of ``key`` to an earlier time; a poll without a next start stays as it is."""
        if self._starts.get(key, start) > start:
            self.put(key, start)

    def contains(self, key: str) -> bool:
        """Return whether ``key`` has a next start."""
        return key in self._starts

    def drop(self, key: str) -> None:
        """Remove the next start of ``key``."""
        self._starts.pop(key, None)

    def next_due(self) -> float | None:
        """Return the earliest next start, in monotonic seconds; ``None`` where no key has one."""
        while self._heap and self._starts.get(self._heap[0][1]) != self._heap[0][0]:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def take_due(self, now: float) -> dict[str, float]:
        """Remove and return the due keys, earliest first, each with its start."""
        due = {}
        while self._heap and self._heap[0][0] <= now:
            start, key = heapq.heappop(self._heap)
            # The heap keeps replaced entries; only the latest start of a key counts.
            if self._starts.get(key) == start:
                del self._starts[key]
                due[key] = start
        return due
