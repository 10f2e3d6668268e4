"""Convert the updates of a training and the cycle of a service to columns, and back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from types import MappingProxyType

from watcher.core.durations.current_run import Bounds
from watcher.core.timestamps import from_text, to_text
from watcher.core.updates.cycle import Cycle
from watcher.core.updates.model import UpdateLog


def write_updates(log: UpdateLog) -> str:
    """Return the column ``updates`` of a training: the versions of each run of updates with one status, in order."""
    runs: list[tuple[str, list[str]]] = []
    for version, status in log.statuses.items():
        # Hundreds of updates of a version are completed: each status once a run keeps the row short.
        if not runs or runs[-1][0] != status:
            runs.append((status, []))
        runs[-1][1].append(version)
    return _dump(runs)


def read_updates(column: str) -> UpdateLog:
    """Read the column ``updates`` of a training."""
    statuses = {version: status for status, versions in json.loads(column) for version in versions}
    return UpdateLog(statuses=MappingProxyType(statuses))


def write_cycle(cycle: Cycle) -> str:
    """Return the column ``cycle`` of a retraining."""
    last = cycle.last_update
    return _dump(
        {
            "period_seconds": cycle.period.total_seconds(),
            "since": to_text(cycle.since),
            "last_update": None if last is None else [to_text(last.after), to_text(last.before)],
        }
    )


def read_cycle(column: str) -> Cycle:
    """Read the column ``cycle`` of a retraining."""
    data = json.loads(column)
    return Cycle(
        period=timedelta(seconds=data["period_seconds"]),
        since=from_text(data["since"]),
        last_update=None if data["last_update"] is None else _bounds(*data["last_update"]),
    )


def _bounds(after: str, before: str) -> Bounds:
    return Bounds(after=from_text(after), before=from_text(before))


def _dump(value: Mapping[str, object] | list[tuple[str, list[str]]]) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
