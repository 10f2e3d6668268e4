"""The deadlines of the trainings in progress, computed when a training changes.

Each poll asks for the deadlines of its trainings, and almost none of them has changed since the last time.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable
from datetime import datetime

from watcher.core.polling.plan import Poll
from watcher.core.training.model import ServiceRef, Snapshot, TrainingRef
from watcher.core.training.stuck import next_deadline
from watcher.core.training.stuck_rules import LEARNED_RULES, StuckRules


def rules_of(poll: Poll, ref: TrainingRef) -> StuckRules:
    """Return the rules of the watch of a training."""
    return poll.attributes_of(ref).stuck_rules or LEARNED_RULES


class Deadlines:
    """The deadlines by poll; a poll that a reload has changed begins anew, since its rules may differ."""

    def __init__(self) -> None:
        self._by_key: dict[str, PollDeadlines] = {}
        self._keys: dict[ServiceRef, set[str]] = {}

    def of(self, poll: Poll, in_progress: Callable[[Poll], Iterable[Snapshot]]) -> PollDeadlines:
        """Return the deadlines of a poll.

        Args:
            poll: the poll.
            in_progress: returns its trainings in progress; called for a poll that is new here.
        """
        if poll.training is not None:
            # Computed anew, since it is one: 10,000 such polls would keep several megabytes.
            return PollDeadlines(poll, in_progress(poll))
        known = self._by_key.get(poll.key)
        if known is None or known.poll is not poll:
            known = PollDeadlines(poll, in_progress(poll))
            self._by_key[poll.key] = known
            self._keys.setdefault(poll.service, set()).add(poll.key)
        return known

    def note(self, snapshot: Snapshot) -> None:
        """Note the new state of a training."""
        for key in self._keys.get(snapshot.ref.service_ref, ()):
            self._by_key[key].note(snapshot)

    def forget(self, key: str) -> None:
        """Forget a poll that has ended."""
        known = self._by_key.pop(key, None)
        if known is not None:
            self._keys[known.poll.service].discard(key)


class PollDeadlines:
    """When trainings of one poll may be stuck, the next one first; all times are aware UTC."""

    __slots__ = ("_deadlines", "_heap", "_now", "_passed", "_pushed", "_without_limits", "poll")

    def __init__(self, poll: Poll, in_progress: Iterable[Snapshot]) -> None:
        self.poll = poll
        self._deadlines: dict[TrainingRef, datetime] = {}
        self._heap: list[tuple[datetime, int, TrainingRef]] = []
        """Has each deadline that is still to come, and some that do not count any more."""
        self._pushed = 0
        self._passed: set[TrainingRef] = set()
        self._now: datetime | None = None
        """The latest time that was asked for: what is due then has left the heap."""
        self._without_limits: set[TrainingRef] = set()
        for snapshot in in_progress:
            self.note(snapshot)

    def note(self, snapshot: Snapshot) -> None:
        """Note the new state of a training."""
        if not self._concerns(snapshot.ref):
            return
        ref, run = snapshot.ref, None if snapshot.gone else snapshot.run
        if run is not None and run.limits is None:
            self._without_limits.add(ref)
        else:
            self._without_limits.discard(ref)
        self._set(ref, None if run is None else next_deadline(snapshot, rules_of(self.poll, ref)))

    def earliest(self, after: datetime) -> datetime | None:
        """Return the next deadline after a time; ``None`` where there is none."""
        self._pass(after)
        return self._heap[0][0] if self._heap else None

    def due(self, now: datetime) -> set[TrainingRef]:
        """Return the trainings whose deadline has passed, and those whose limits are not looked up yet."""
        self._pass(now)
        return self._passed | self._without_limits

    def _concerns(self, ref: TrainingRef) -> bool:
        return self.poll.concerns(ref) if self.poll.training is None else self.poll.training == ref

    def _set(self, ref: TrainingRef, deadline: datetime | None) -> None:
        if self._deadlines.get(ref) == deadline:
            return
        self._passed.discard(ref)
        if deadline is None:
            del self._deadlines[ref]
        else:
            self._deadlines[ref] = deadline
            self._push(ref)

    def _push(self, ref: TrainingRef) -> None:
        self._pushed += 1
        heapq.heappush(self._heap, (self._deadlines[ref], self._pushed, ref))

    def _pass(self, now: datetime) -> None:
        if self._now is not None and now < self._now:
            # The wall clock was set back: what had passed may be still to come.
            for ref in self._passed:
                self._push(ref)
            self._passed.clear()
        self._now = now
        while self._heap and (self._heap[0][0] <= now or not self._counts(self._heap[0])):
            entry = heapq.heappop(self._heap)
            if self._counts(entry):
                self._passed.add(entry[2])

    def _counts(self, entry: tuple[datetime, int, TrainingRef]) -> bool:
        return self._deadlines.get(entry[2]) == entry[0]
