"""The deadlines of the trainings in progress, each computed once for a change of its run."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from watcher.core.durations.current_run import CurrentRun
from watcher.core.training.model import Snapshot, TrainingRef
from watcher.core.training.stuck import next_deadline
from watcher.core.training.stuck_rules import StuckRules


@dataclass(frozen=True, slots=True)
class _KnownDeadline:
    run: CurrentRun
    rules: StuckRules
    deadline: datetime | None


class Deadlines:
    """Remembers deadlines: each poll asks for those of all its trainings in progress, and few of them have changed."""

    def __init__(self) -> None:
        self._known: dict[TrainingRef, _KnownDeadline] = {}

    def of(self, snapshot: Snapshot, rules: StuckRules) -> datetime | None:
        """Return the time at which a training may be stuck next, UTC; ``None`` where no limit is known."""
        if snapshot.run is None or snapshot.gone:
            return None
        known = self._known.get(snapshot.ref)
        # A change makes another object; to compare the fields takes longer than to compute the deadline.
        if known is None or known.run is not snapshot.run or known.rules is not rules:
            known = _KnownDeadline(snapshot.run, rules, next_deadline(snapshot, rules))
            self._known[snapshot.ref] = known
        return known.deadline

    def forget(self, ref: TrainingRef) -> None:
        """Forget a training that is in progress no more."""
        self._known.pop(ref, None)
