"""When to look again: fast while something is in progress, slowly otherwise, spread at the start."""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from watcher.core.training.model import Phase, Snapshot, phase_of

JITTER: Final = 0.1
"""The share of an interval by which a look may come early; it never comes late on purpose."""
FAST_LIMIT: Final = timedelta(hours=24)
"""After so long without a change the fast interval ends: ``waiting`` or ``stopping`` may never end."""
PATIENT_FAILURES: Final = 3
"""So many failed looks change no interval: a hiccup is over by then, and an incident is told in time."""
MAX_DOUBLINGS: Final = 30
MAX_SPREAD: Final = timedelta(seconds=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cadence:
    """How often one look is made."""

    interval: timedelta
    idle_interval: timedelta


def wants_attention(snapshot: Snapshot, now: datetime) -> bool:
    """Say whether this training asks for the fast interval."""
    if snapshot.gone:
        return False
    if snapshot.pending is not None or snapshot.status is None or snapshot.absent:
        return True
    if phase_of(snapshot.status) not in {Phase.IN_PROGRESS, Phase.UNKNOWN}:
        return False
    return now - (snapshot.changed_before or snapshot.first_seen_at) < FAST_LIMIT


def interval_for(cadence: Cadence, snapshots: Iterable[Snapshot], now: datetime) -> timedelta:
    """Return the interval until the next look at these trainings."""
    if any(wants_attention(snapshot, now) for snapshot in snapshots):
        return cadence.interval
    return cadence.idle_interval


def interval_after(cadence: Cadence, failures: int) -> timedelta:
    """Return the interval after failed looks in a row: as in progress at first, then doubling up to the idle one."""
    doublings = min(max(failures - PATIENT_FAILURES, 0), MAX_DOUBLINGS)
    return max(min(cadence.interval * (1 << doublings), cadence.idle_interval), cadence.interval)


def next_start(started: float, finished: float, interval: timedelta, unit: float) -> float:
    """Return when the next look starts, in the same monotonic seconds.

    Args:
        started: When the last look started.
        finished: When it ended; the next never starts before, so looks of one target do not overlap.
        interval: The time between two starts.
        unit: A number in [0, 1) that spreads the looks; the caller draws it.
    """
    return max(started + interval.total_seconds() * (1 - JITTER * unit), finished)


def first_start(now: float, index: int, count: int, interval: timedelta) -> float:
    """Return when look ``index`` of ``count`` starts for the first time, so that they do not all come at once."""
    spread = min(interval, MAX_SPREAD).total_seconds()
    return now + spread * index / max(count, 1)


class PollSchedule:
    """When each target is to be looked at next; the earliest comes out first, a later word replaces an earlier."""

    def __init__(self) -> None:
        self._starts: dict[str, float] = {}
        self._heap: list[tuple[float, str]] = []

    def put(self, key: str, start: float) -> None:
        """Set the next start of ``key``, in monotonic seconds."""
        self._starts[key] = start
        heapq.heappush(self._heap, (start, key))

    def hurry(self, key: str, start: float) -> None:
        """Bring the next start of ``key`` forward, if it has one; one that is being looked at has none."""
        if self._starts.get(key, start) > start:
            self.put(key, start)

    def holds(self, key: str) -> bool:
        """Say whether ``key`` has a next start; one that is being looked at has none."""
        return key in self._starts

    def drop(self, key: str) -> None:
        """Forget the next start of ``key``."""
        self._starts.pop(key, None)

    def next_due(self) -> float | None:
        """Return the earliest next start, in monotonic seconds; ``None`` where no key has one."""
        while self._heap and self._starts.get(self._heap[0][1]) != self._heap[0][0]:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def take_due(self, now: float) -> dict[str, float]:
        """Take out the keys whose time has come, the longest waiting first, each with when that was."""
        due = {}
        while self._heap and self._heap[0][0] <= now:
            start, key = heapq.heappop(self._heap)
            # An entry that was replaced meanwhile is no longer the key's start.
            if self._starts.get(key) == start:
                del self._starts[key]
                due[key] = start
        return due
