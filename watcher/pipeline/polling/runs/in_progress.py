"""Which trainings in progress need a decision although an answer shows them as they are recorded."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from watcher.core.polling.plan import Poll
from watcher.core.polling.result import PollResult
from watcher.core.training.model import Shown, Snapshot
from watcher.pipeline.polling.cache import PollCache
from watcher.pipeline.polling.last_shown import last_shown_at
from watcher.pipeline.polling.targets import PollContext


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
    waiting = cache.deadlines(context.poll).due(result.asked_at)
    if _had_gap(cache, context):
        running = cache.in_progress(context.poll)
        waiting |= {item.ref for item in running if _was_unpolled(cache, context, item)}
    waiting -= {item.ref for item in beside}
    return [item for item in result.shown if item.ref in waiting] if waiting else []


def earliest_deadline(cache: PollCache, poll: Poll, after: datetime) -> datetime | None:
    """Return the next time after this one at which a training of a poll may be stuck; ``None`` where there is none."""
    return cache.deadlines(poll).earliest(after)


def _had_gap(cache: PollCache, context: PollContext) -> bool:
    """Return whether polling has had a gap since the latest good answer; after most answers no training is asked."""
    latest = cache.poll(context.poll.key).good_asked_at
    return latest is None or latest < context.polling_since


def _was_unpolled(cache: PollCache, context: PollContext, snapshot: Snapshot) -> bool:
    shown_at = last_shown_at(cache, context.poll, snapshot.ref) or snapshot.seen_after
    return not snapshot.gone and shown_at < context.polling_since
