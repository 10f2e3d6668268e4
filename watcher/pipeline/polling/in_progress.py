"""Which trainings in progress need a decision although an answer shows them as they are recorded."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from watcher.core.polling.plan import Poll
from watcher.core.polling.result import PollResult
from watcher.core.training.model import Shown, Snapshot
from watcher.core.training.stuck import next_deadline
from watcher.core.training.stuck_rules import LEARNED_RULES, StuckRules
from watcher.pipeline.polling.cache import PollCache
from watcher.pipeline.polling.last_shown import last_shown_at
from watcher.pipeline.polling.targets import PollContext


def rules_of(poll: Poll, snapshot: Snapshot) -> StuckRules:
    """Return the rules of the watch of a training."""
    return poll.naming_of(snapshot.ref).stuck_rules or LEARNED_RULES


def shown_in_progress(
    cache: PollCache, context: PollContext, result: PollResult, beside: Collection[Shown]
) -> list[Shown]:
    """Return the trainings in progress that an answer shows and that need a decision now.

    A limit of them has passed or is not known yet, or a gap in polling has ended.

    Args:
        cache: the state in memory.
        context: the poll.
        result: its answer.
        beside: the trainings that are decided anyway.
    """
    waiting = {item.ref for item in cache.in_progress(context.poll) if _needs_decision(cache, context, item, result)}
    waiting -= {item.ref for item in beside}
    return [item for item in result.shown if item.ref in waiting] if waiting else []


def earliest_deadline(cache: PollCache, poll: Poll, after: datetime) -> datetime | None:
    """Return the next time after this one at which a training of a poll may be stuck; ``None`` where there is none."""
    deadlines = (next_deadline(item, rules_of(poll, item)) for item in cache.in_progress(poll))
    return min((time for time in deadlines if time is not None and time > after), default=None)


def _needs_decision(cache: PollCache, context: PollContext, snapshot: Snapshot, result: PollResult) -> bool:
    if snapshot.gone or snapshot.run is None:
        return False
    if snapshot.run.limits is None:
        return True
    deadline = next_deadline(snapshot, rules_of(context.poll, snapshot))
    if deadline is not None and deadline <= result.asked_at:
        return True
    shown_at = last_shown_at(cache, context.poll, snapshot.ref) or snapshot.seen_after
    return shown_at < context.polling_since <= result.asked_at
