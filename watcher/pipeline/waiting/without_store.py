"""The polling stage's store for a process without one: it keeps nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Final

from watcher.core.batch import Batch, SavedState
from watcher.core.event import Restore
from watcher.core.training.earlier_runs import EarlierRuns, RunGroup, RunsWanted
from watcher.core.training.model import Snapshot


class WithoutStore:
    """Accepts every batch and knows nothing; the poller's cache has the state of this process."""

    epoch: Final = "without-store"
    restore: Final[Restore | None] = None

    async def load(self) -> SavedState:
        """Return nothing."""
        return SavedState(snapshots=(), polls=(), incident_rows=())

    async def record(self, batch: Batch) -> list[Snapshot]:
        """Return the snapshots of a batch with their next revisions."""
        return [replace(item, revision=item.revision + 1) for item in batch.snapshots]

    async def earlier_runs(
        self, wanted: Mapping[RunGroup, RunsWanted], _now: datetime
    ) -> Mapping[RunGroup, EarlierRuns]:
        """Return no runs for each group."""
        return dict.fromkeys(wanted, EarlierRuns())
