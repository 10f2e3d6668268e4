"""Axes: from durations and times to coordinates, with round values to mark."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from typing import Final

from watcher.core.duration import format_duration

DURATION_MARKS: Final = 6
"""The most parts of an axis of durations."""
TIME_MARKS: Final = 8
"""The most parts of an axis of times."""
SECONDS: Final = (
    *(1, 2, 5, 10, 15, 30),
    *(60 * count for count in (1, 2, 5, 10, 15, 20, 30)),
    *(3600 * count for count in (1, 2, 3, 6, 12)),
    *(86_400 * count for count in (1, 2, 7, 14, 28, 91, 182, 365)),
)
"""Round steps between marks."""


@dataclass(frozen=True, slots=True)
class Tick:
    """A round value of an axis."""

    at: float
    """Its coordinate."""
    text: str


@dataclass(frozen=True, slots=True)
class DurationAxis:
    """Durations from 0 on; ``end`` is the coordinate of ``longest``."""

    longest: timedelta
    start: float
    end: float
    parts: int = DURATION_MARKS
    """The most parts that marks divide it into."""

    def at(self, duration: timedelta) -> float:
        """Return the coordinate of a duration; a longer one than the longest is put there."""
        share = min(max(duration / self.longest, 0.0), 1.0) if self.longest else 0.0
        return self.start + share * (self.end - self.start)

    def marks(self) -> list[Tick]:
        """Return round durations from 0 on."""
        step = timedelta(seconds=round_step(self.longest.total_seconds(), self.parts))
        return [Tick(self.at(step * count), format_duration(step * count)) for count in range(self.longest // step + 1)]


@dataclass(frozen=True, slots=True)
class TimeAxis:
    """Times from ``first`` to ``last``, UTC, written in a zone; ``None`` is the machine's."""

    first: datetime
    last: datetime
    start: float
    end: float
    zone: tzinfo | None
    parts: int = TIME_MARKS
    """The most parts that marks divide it into."""

    def at(self, time: datetime) -> float:
        """Return the coordinate of a time."""
        share = (time - self.first) / (self.last - self.first) if self.last > self.first else 0.0
        return self.start + min(max(share, 0.0), 1.0) * (self.end - self.start)

    def marks(self) -> list[Tick]:
        """Return round local times."""
        step = timedelta(seconds=round_step((self.last - self.first).total_seconds(), self.parts))
        form = "%m-%d %H:%M" if step < timedelta(days=1) else "%Y-%m-%d"
        times = _round_times(self.first.astimezone(self.zone), self.last.astimezone(self.zone), step)
        return [Tick(self.at(time), f"{time:{form}}") for time in times]


def round_step(seconds: float, parts: int) -> int:
    """Return the smallest round step that divides a length into at most so many parts."""
    found = next((step for step in SECONDS if seconds <= step * parts), None)
    return found if found is not None else int(seconds / parts / SECONDS[-1] + 1) * SECONDS[-1]


def _round_times(first: datetime, last: datetime, step: timedelta) -> Sequence[datetime]:
    midnight = first.replace(hour=0, minute=0, second=0, microsecond=0)
    skipped = max((first - midnight + step - timedelta.resolution) // step, 0)
    found = [midnight + step * (skipped + count) for count in range(TIME_MARKS + 2)]
    return [time for time in found if first <= time <= last]
