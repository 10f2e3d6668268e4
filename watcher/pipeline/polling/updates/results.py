"""Which completed trainings an answer shows without the inference result that earlier ones had by then."""

from __future__ import annotations

from datetime import datetime

from watcher.core.event import Event
from watcher.core.polling.result import PollResult
from watcher.core.training.model import Snapshot
from watcher.core.training.retraining import Retraining, RetrainingRef
from watcher.core.usability.decision import decide_result
from watcher.pipeline.polling.cache import PollCache
from watcher.pipeline.polling.runs.overdue import surely_asked_at
from watcher.pipeline.polling.targets import PollContext
from watcher.pipeline.polling.updates.changes import UpdateChanges, attributes_context


def result_changes(cache: PollCache, context: PollContext, result: PollResult, now: datetime) -> UpdateChanges:
    """Return the changes that a recorded answer makes to the inference results of trainings.

    Args:
        cache: the state in memory, with that answer.
        context: its poll.
        result: the answer.
        now: the present, UTC.
    """
    snapshots: list[Snapshot] = []
    events: list[Event] = []
    retrainings: dict[RetrainingRef, Retraining] = {}
    asked_at = surely_asked_at(result)
    shown = {item.ref for item in result.shown}
    for snapshot in cache.awaiting_results(context.poll):
        retraining = cache.retrainings(context.poll.service).get(RetrainingRef.of(snapshot.ref))
        if retraining is None or snapshot.pending is not None or snapshot.ref not in shown:
            continue
        known = retrainings.get(retraining.ref, retraining)
        names = attributes_context(cache, context, snapshot.ref)
        decision = decide_result(snapshot, known, asked_at, names, now)
        snapshots += [decision.snapshot] if decision.snapshot != snapshot else []
        events += [] if decision.event is None else [decision.event]
        if decision.retraining != known:
            retrainings[known.ref] = decision.retraining
    return UpdateChanges(snapshots=tuple(snapshots), events=tuple(events), retrainings=tuple(retrainings.values()))
