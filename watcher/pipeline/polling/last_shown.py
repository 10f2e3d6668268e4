"""The last request whose answer showed a training, read from the rows of the polls.

An unchanged training has no row written. So the row of the poll that shows it is the proof of its status, also of a
poll that another configuration had planned.
"""

from __future__ import annotations

from datetime import datetime

from watcher.core.polling.covered import covered
from watcher.core.polling.plan import Poll, joined_key
from watcher.core.training.lifecycle import with_last_good_poll
from watcher.core.training.model import Snapshot, TrainingRef
from watcher.pipeline.polling.cache import PollCache


def with_last_proof(cache: PollCache, poll: Poll, snapshot: Snapshot) -> Snapshot:
    """Return a snapshot with the start of the last request whose answer showed its status."""
    return with_last_good_poll(snapshot, last_shown_at(cache, poll, snapshot.ref))


def last_shown_at(cache: PollCache, poll: Poll, ref: TrainingRef) -> datetime | None:
    """Return the start of the last request whose answer showed a training; ``None`` where no row proves one.

    Args:
        cache: the rows of the polls.
        poll: the poll of the training, whose row has not been changed by the present answer yet.
        ref: the training.
    """
    own = cache.poll(ref.subject).good_asked_at
    if own is not None or (poll.training is None and cache.has_poll(ref.subject)):
        # A list that shows the training ends its own row, so no list has shown it since.
        return own
    return _listed_at(cache, poll, ref)


def _listed_at(cache: PollCache, poll: Poll, ref: TrainingRef) -> datetime | None:
    whole = cache.poll(poll.service.subject).good_asked_at
    row = cache.poll(joined_key(poll.service))
    joined, was_covered = row.good_asked_at, covered(row, ref)
    if joined is None or was_covered is False:
        return whole
    if was_covered or _is_joined(poll):
        return joined if whole is None else max(joined, whole)
    if poll.training is not None:
        return whole
    # The list of single trainings is the newer one, and the trainings that it covered are not known any more.
    return whole if whole is not None and joined <= whole else None


def _is_joined(poll: Poll) -> bool:
    return poll.training is None and not poll.whole_service
