"""The single trainings that a joined list covered, as short marks behind the hash in the row of its poll.

The row says when the list was answered last. That proves the status of those trainings only that the list covered then:
of another one, it has recorded nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from watcher.core.polling.plan import Poll
from watcher.core.polling.result import PollState
from watcher.core.training.model import TrainingRef

HASH_BYTES: Final = hashlib.sha256().digest_size
MARK_BYTES: Final = 8
KEPT_DIGESTS: Final = 64
"""Digests whose marks are kept: each training of a list asks for those of the same one."""


def marks_of(poll: Poll) -> bytes:
    """Return the marks of the trainings of a joined list; empty for another poll, which covers all that it shows."""
    if poll.training is not None or poll.whole_service:
        return b""
    return b"".join(sorted(map(_mark_of, poll.single)))


def covered(state: PollState, ref: TrainingRef) -> bool | None:
    """Return whether the latest answer of a joined list covered a training.

    ``None`` where the row does not say so: an older version wrote it, or there was no answer.
    """
    marks = _marks_in(state.digest or b"")
    return _mark_of(ref) in marks if marks else None


def no_longer_covered(state: PollState, poll: Poll, refs: Iterable[TrainingRef]) -> list[TrainingRef]:
    """Return those of these trainings that a joined list covered in its latest answer, and does not cover any more."""
    if poll.training is not None or poll.whole_service:
        return []
    return [ref for ref in refs if not poll.concerns(ref) and covered(state, ref)]


@lru_cache(KEPT_DIGESTS)
def _marks_in(digest: bytes) -> frozenset[bytes]:
    marks = digest[HASH_BYTES:]
    return frozenset(marks[start : start + MARK_BYTES] for start in range(0, len(marks), MARK_BYTES))


def _mark_of(ref: TrainingRef) -> bytes:
    return hashlib.sha256(ref.subject.encode()).digest()[:MARK_BYTES]
