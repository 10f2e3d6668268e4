"""The facts of an event ``overdue``: a training, or a completed one, that did not come by the expected time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from watcher.core.durations.current_run import Bounds
from watcher.core.timestamps import from_text, to_text


class Missing(StrEnum):
    """The absent thing."""

    START = "start"
    """A new training, or a new run of a known one."""
    COMPLETED = "completed"
    """A training that completes: ``stale_after``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GoodVersion:
    """A version that polls saw complete."""

    version: str
    ended: Bounds


@dataclass(frozen=True, slots=True, kw_only=True)
class OverdueFacts:
    """A retraining that did not come."""

    missing: Missing
    last: Bounds | None
    """The last start, or the last completion; ``None`` where no poll saw one."""
    expected_at: datetime
    """The time by which it was expected, UTC."""
    deadline: datetime
    """The same with the tolerance: the poll that still showed none began after it, UTC."""
    period: timedelta
    """The expected time from one to the next."""
    starts: int | None
    """The number of starts that the period was learned from; ``None`` where it is configured, or a cycle."""
    last_good: GoodVersion | None = None
    """The version that completed last; ``None`` where no poll saw one complete."""
    by_cycle: bool = False
    """Whether the period is the cycle of the service."""


def overdue_json(facts: OverdueFacts) -> dict[str, object]:
    """Return the facts as plain JSON."""
    good = facts.last_good
    return {
        "missing": facts.missing.value,
        "last": None if facts.last is None else _bounds_json(facts.last),
        "expected_at": to_text(facts.expected_at),
        "deadline": to_text(facts.deadline),
        "period_seconds": facts.period.total_seconds(),
        "starts": facts.starts,
        "last_good": None if good is None else {"version": good.version, **_bounds_json(good.ended)},
        "by_cycle": facts.by_cycle,
    }


def read_overdue(data: Mapping[str, Any] | None) -> OverdueFacts | None:
    """Read what ``overdue_json`` wrote; older versions stored none."""
    if data is None:
        return None
    last, good = data["last"], data["last_good"]
    return OverdueFacts(
        missing=Missing(data["missing"]),
        last=None if last is None else _read_bounds(last),
        expected_at=from_text(data["expected_at"]),
        deadline=from_text(data["deadline"]),
        period=timedelta(seconds=data["period_seconds"]),
        starts=data["starts"],
        last_good=None if good is None else GoodVersion(version=good["version"], ended=_read_bounds(good)),
        by_cycle=data.get("by_cycle", False),
    )


def _bounds_json(bounds: Bounds) -> dict[str, str]:
    return {"after": to_text(bounds.after), "before": to_text(bounds.before)}


def _read_bounds(data: Mapping[str, str]) -> Bounds:
    return Bounds(after=from_text(data["after"]), before=from_text(data["before"]))
