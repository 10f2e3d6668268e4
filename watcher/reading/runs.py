"""Read the runs that have ended a page at a time, the oldest first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from watcher.reports.runs.exports import records
from watcher.store.export import Exported, Key, export_page
from watcher.store.views import Views


@dataclass(frozen=True, slots=True, kw_only=True)
class RunList:
    """Some runs in the order of their ends."""

    runs: Sequence[dict[str, object]]
    """Each as ``export runs --format jsonl`` has it."""
    last: Key | None
    """The place of the last run; ``None`` where none follows."""


def read_runs(views: Views, since: datetime | None, after: Key | None, limit: int) -> RunList:
    """Return the runs behind a place; ``since`` is the earliest end, UTC."""
    page = export_page(views.connection, Exported.RUNS, since, after, limit)
    return RunList(runs=list(records(Exported.RUNS, page.rows, {})), last=page.last)
