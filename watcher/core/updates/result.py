"""The results of the calls about an interval service."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from watcher.core.polling.result import UnreadableRecord
from watcher.core.training.model import TrainingRef
from watcher.core.updates.model import ShownUpdate
from watcher.core.updates.schedule import ServiceSchedule


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleResult:
    """The answer to "Get service"."""

    schedule: ServiceSchedule
    deviations: tuple[str, ...] = ()
    """Differences from the documents that are no failure."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateList:
    """The answer to "Get update list"."""

    training: TrainingRef
    shown: tuple[ShownUpdate, ...]
    asked_at: datetime
    """Start of the request, UTC."""
    answered_at: datetime
    """End of the answer, UTC."""
    deviations: tuple[str, ...] = ()
    unreadable: tuple[UnreadableRecord, ...] = ()
    """Records of the list that are left out."""
    server_date: datetime | None = None
