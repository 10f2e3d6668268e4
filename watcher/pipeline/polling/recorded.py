"""Which trainings of an answer differ from what is recorded, and so need a decision."""

from __future__ import annotations

from collections.abc import Iterable

from watcher.core.polling.plan import Poll
from watcher.core.training.lifecycle import is_recorded
from watcher.core.training.model import Shown
from watcher.pipeline.polling.cache import PollCache


def differing_from_recorded(cache: PollCache, poll: Poll, shown: Iterable[Shown]) -> list[Shown]:
    """Return the watched trainings of an answer that differ from what is recorded, or that await something."""
    known = cache.known(poll)
    differing: list[Shown] = []
    for item in shown if poll.whole_service else filter(lambda item: poll.concerns(item.ref), shown):
        snapshot = known.get(item.ref)
        if snapshot is None or not is_recorded(snapshot, item):
            differing.append(item)
        elif snapshot.record is not item.record:
            cache.share_record(snapshot, item.record)
    return differing


def is_news(cache: PollCache, shown: Iterable[Shown]) -> bool:
    """Say whether a status differs from the recorded one; a view may have recorded another since the same list."""
    pairs = ((item.status, cache.training(item.ref)) for item in shown)
    return any(snapshot is None or snapshot.status != status for status, snapshot in pairs)
