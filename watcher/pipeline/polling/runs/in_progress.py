"""Which trainings in progress need a decision although an answer shows them as they are recorded."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from watcher.core.polling.plan import Poll
from watcher.core.polling.result import PollResult
from watcher.core.training.model import Shown, Snapshot
from watcher.core.training.stuck_rules import LEARNED_RULES, StuckRules
from watcher.pipeline.polling.cache import PollCache
from watcher.pipeline.polling.last_shown import last_shown_at
from watcher.pipeline.polling.targets import PollContext


def rules_of(poll: Poll, snapshot: Snapshot) -> StuckRules:
    """Return the rules of the watch of a training."""
    return poll.attributes_of(snapshot.ref).stuck_rules or LEARNED_RULES


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
    running = cache.in_progress(context.poll)
    had_gap = _had_gap(cache, context)
    waiting = {item.ref for item in running if _has_passed(cache, context.poll, item, result.asked_at)}
    waiting |= {item.ref for item in running if had_gap and _was_unpolled(cache, context, item)}
    waiting -= {item.ref for item in beside}
    return [item for item in result.shown if item.ref in waiting] if waiting else []


def earliest_deadline(cache: PollCache, poll: Poll, after: datetime) -> datetime | None:
    """Return the next time after this one at which a training of a poll may be stuck; ``None`` where there is none."""
    deadlines = (cache.deadlines.of(item, rules_of(poll, item)) for item in cache.in_progress(poll))
    return min((time for time in deadlines if time is not None and time > after), default=None)


def _has_passed(cache: PollCache, poll: Poll, snapshot: Snapshot, asked_at: datetime) -> bool:
    """Return whether a limit has passed before a request, or is not looked up yet."""
    if snapshot.gone or snapshot.run is None:
        return False
    if snapshot.run.limits is None:
        return True
    deadline = cache.deadlines.of(snapshot, rules_of(poll, snapshot))
    return deadline is not None and deadline <= asked_at


def _had_gap(cache: PollCache, context: PollContext) -> bool:
    """Return whether polling has had a gap since the latest good answer; after most answers no training is asked."""
    latest = cache.poll(context.poll.key).good_asked_at
    return latest is None or latest < context.polling_since


def _was_unpolled(cache: PollCache, context: PollContext, snapshot: Snapshot) -> bool:
    shown_at = last_shown_at(cache, context.poll, snapshot.ref) or snapshot.seen_after
    return not snapshot.gone and shown_at < context.polling_since
