"""When a completed training is reported as unusable: its inference result takes longer than those before.

The wait counts from the first answer that showed the completion to the first one that shows the result. The longest
of the latest waits of the service and type is the measure. A service that never had a result has none.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from watcher.core.durations.current_run import Bounds
from watcher.core.event import Event, Kind
from watcher.core.training.change_event import event_without_change
from watcher.core.training.decision import Decision, DecisionContext, DecisionReason
from watcher.core.training.model import Phase, Snapshot, phase_of
from watcher.core.training.retraining import Retraining
from watcher.core.usability.facts import AWAITING, ResultState, UnusableFacts

LEAST_LIMIT: Final = timedelta(hours=1)
MARGIN: Final = 1.5
"""The limit is so many times the longest wait of earlier versions."""
MOST_WAITS: Final = 20
"""The latest waits count."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultDecision:
    """The consequences of an answer for the result of one training."""

    snapshot: Snapshot
    retraining: Retraining
    event: Event | None = None


def decide_result(
    snapshot: Snapshot, retraining: Retraining, asked_at: datetime, context: DecisionContext, now: datetime
) -> ResultDecision:
    """Decide on the inference result of a training that an answer shows.

    Args:
        snapshot: the training, as the answer shows it.
        retraining: that of its service and type.
        asked_at: the start of the request, UTC.
        context: the names of the training.
        now: the present, UTC.
    """
    completed = _completion(snapshot)
    if snapshot.result not in AWAITING or completed is None:
        result = snapshot.result if completed is not None else None
        return ResultDecision(snapshot=replace(snapshot, result=result), retraining=retraining)
    wait = max(asked_at - completed.before, timedelta())
    if _has_result(snapshot):
        found = replace(snapshot, result=ResultState.FOUND)
        return ResultDecision(snapshot=found, retraining=_after_wait(retraining, wait))
    if retraining.last_good is not None and retraining.last_good.version != snapshot.ref.version:
        # Nobody waits for the result of an older version.
        return ResultDecision(snapshot=replace(snapshot, result=None), retraining=retraining)
    facts = _facts(retraining, completed)
    if snapshot.result is ResultState.REPORTED or facts is None or wait <= facts.limit:
        return ResultDecision(snapshot=snapshot, retraining=retraining)
    event = _event(snapshot, facts, asked_at, context, now)
    reported = replace(snapshot, result=ResultState.REPORTED, seq=event.seq)
    return ResultDecision(snapshot=reported, retraining=retraining, event=event)


def with_result(decision: Decision) -> Decision:
    """Return a decision about a training; of one that polls saw complete, the inference result is found or awaited."""
    if decision.event is None or decision.event.kind is not Kind.SUCCEEDED:
        return decision
    result = ResultState.FOUND if _has_result(decision.snapshot) else ResultState.AWAITED
    return replace(decision, snapshot=replace(decision.snapshot, result=result))


def after_completion(retraining: Retraining, decision: Decision) -> Retraining:
    """Return a retraining after a decision: a training that completes with its inference result did not wait for it."""
    is_completed = decision.event is not None and decision.event.kind is Kind.SUCCEEDED
    if is_completed and decision.snapshot.result is ResultState.FOUND:
        return _after_wait(retraining, timedelta())
    return retraining


def _has_result(snapshot: Snapshot) -> bool:
    return snapshot.record.get("inference") is True


def _after_wait(retraining: Retraining, wait: timedelta) -> Retraining:
    return replace(retraining, result_waits=(*retraining.result_waits, wait.total_seconds())[-MOST_WAITS:])


def _completion(snapshot: Snapshot) -> Bounds | None:
    """Return the bounds of the completion that lasts; ``None`` where there is none, or where no poll saw it."""
    if snapshot.gone or snapshot.changed_after is None or snapshot.changed_before is None:
        return None
    if phase_of(snapshot.status or "") is not Phase.SUCCEEDED:
        return None
    return Bounds(after=snapshot.changed_after, before=snapshot.changed_before)


def _facts(retraining: Retraining, completed: Bounds) -> UnusableFacts | None:
    if not retraining.result_waits:
        return None
    longest = timedelta(seconds=max(retraining.result_waits))
    return UnusableFacts(
        completed=completed,
        limit=max(longest * MARGIN, LEAST_LIMIT),
        longest=longest,
        versions=len(retraining.result_waits),
    )


def _event(
    snapshot: Snapshot, facts: UnusableFacts, asked_at: datetime, context: DecisionContext, now: datetime
) -> Event:
    event = event_without_change(
        snapshot,
        context,
        kind=Kind.UNUSABLE,
        reason=DecisionReason.NO_RESULT,
        seq=snapshot.seq + 1,
        times=Bounds(after=asked_at, before=now),
        now=now,
    )
    return replace(event, unusable=facts)
