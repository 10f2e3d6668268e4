"""The schedule of a service: whether AiTEMS updates it by a cycle, and how often.

The names are those of AiTEMS' pages "Get service" and "Edit update cycle".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from types import MappingProxyType
from typing import Final

INTERVAL: Final = "interval"
CYCLES: Final[Mapping[str, timedelta]] = MappingProxyType(
    {
        "hour1": timedelta(hours=1),
        "hour3": timedelta(hours=3),
        "hour6": timedelta(hours=6),
        "hour12": timedelta(hours=12),
    }
)
"""The documented values of ``learningInterval``."""
SCHEDULE_AGE: Final = timedelta(minutes=10)
"""The schedule of an interval service is asked for so often."""
BATCH_AGE: Final = timedelta(hours=1)
"""That of any other service: it has no updates, and rarely becomes an interval service."""
POLLS_BETWEEN: Final = 5
"""So many polls of trainings take place between two lists of updates, at least."""
AT_REST: Final = frozenset({"learnable", "drafted", "disable", "datasetRequired", "deleting", "deleted"})
"""The statuses of a service whose cycle does not run; with any other one it may."""


def update_interval(interval: timedelta, idle_interval: timedelta) -> timedelta:
    """Return the time between two lists of updates: an update takes place every hour at most, so they may be rare."""
    return max(idle_interval, POLLS_BETWEEN * interval)


def most_update_calls(every: timedelta, types: int, per: timedelta) -> float:
    """Return the most calls about one service in a time: for an interval service with this number of types."""
    return per / max(SCHEDULE_AGE, every) + types * (per / every)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceSchedule:
    """The schedule in an answer to "Get service"."""

    type: str | None
    """``batch`` or ``interval``; ``None`` where it is missing."""
    status: str
    """The status of the service itself."""
    learning_interval: str | None = None

    @property
    def has_updates(self) -> bool:
        """Whether its versions have updates."""
        return self.type == INTERVAL

    @property
    def cycle(self) -> timedelta | None:
        """The time from one update to the next; ``None`` where none is expected, or AiTEMS documents no such cycle."""
        if not self.has_updates or self.status in AT_REST:
            return None
        return CYCLES.get(self.learning_interval or "")
