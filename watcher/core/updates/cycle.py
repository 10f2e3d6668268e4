"""The cycle of an interval service as it is recorded, and its latest update."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from watcher.core.durations.current_run import Bounds


@dataclass(frozen=True, slots=True, kw_only=True)
class Cycle:
    """The cycle of one type of a service."""

    period: timedelta
    """The time from one update to the next."""
    since: datetime
    """The first list of updates with this period, UTC: none is expected before a period has passed since."""
    last_update: Bounds | None = None
    """The bounds of the latest start of an update that lists showed."""
