"""The inference result of a training as it is recorded, and the facts of an event about one that is missing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any, Final

from watcher.core.durations.current_run import Bounds
from watcher.core.timestamps import from_text, to_text


class ResultState(StrEnum):
    """The inference result of a training whose completion polls saw."""

    AWAITED = "awaited"
    REPORTED = "reported"
    """It is missing, and an event has said so."""
    FOUND = "found"


AWAITING: Final = frozenset({ResultState.AWAITED, ResultState.REPORTED})
"""The states of a result that may still come."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnusableFacts:
    """A completed training without an inference result."""

    completed: Bounds
    """The bounds of its completion."""
    limit: timedelta
    """The wait after which it is reported."""
    longest: timedelta
    """The longest wait of earlier versions."""
    versions: int
    """The number of those versions."""


def unusable_json(facts: UnusableFacts) -> dict[str, object]:
    """Return the facts as plain JSON."""
    completed = facts.completed
    return {
        "completed": {"after": to_text(completed.after), "before": to_text(completed.before)},
        "limit_seconds": facts.limit.total_seconds(),
        "longest_seconds": facts.longest.total_seconds(),
        "versions": facts.versions,
    }


def read_unusable(data: Mapping[str, Any] | None) -> UnusableFacts | None:
    """Read what ``unusable_json`` wrote; older versions stored none."""
    if data is None:
        return None
    completed = data["completed"]
    return UnusableFacts(
        completed=Bounds(after=from_text(completed["after"]), before=from_text(completed["before"])),
        limit=timedelta(seconds=data["limit_seconds"]),
        longest=timedelta(seconds=data["longest_seconds"]),
        versions=data["versions"],
    )
