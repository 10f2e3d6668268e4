"""The polls of the present configuration, with their state and the time of their next start."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from watcher.core.polling.plan import Poll
from watcher.core.polling.schedule import STARTS_PER_SECOND, PollSchedule
from watcher.core.training.catch_up import CatchUp
from watcher.pipeline.wakeup import Wake


@dataclass(frozen=True, slots=True, kw_only=True)
class PollContext:
    """A poll as a decision about its result sees it."""

    poll: Poll
    polling_since: datetime
    """The start of the present time without a gap in polling."""
    service_was_gone: bool = False
    """Whether the service did not exist before that start."""
    catch_up: CatchUp | None = None
    """The catch-up that its late changes belong to."""


@dataclass(slots=True, kw_only=True)
class PollTarget:
    """A poll while the daemon runs.

    ``PollTargets`` owns ``poll`` and ``retired``; ``PollRunner`` owns the rest.
    """

    poll: Poll
    polling_since: datetime
    """The start of the present time without a gap in polling."""
    service_was_gone: bool = False
    """Whether the service did not exist before that start; then there was nothing to poll."""
    retired: bool = False
    """Whether a reload has removed or replaced it; a result that still arrives is ignored."""
    polled: bool = False
    """Whether it was polled since the start."""
    poll_again: bool = False
    """Whether its latest result asks for another poll at once."""
    hurried: bool = False
    """Whether it is polled at the short interval, as an answer raised a question."""
    limit_polled_at: float | None = None
    """The start of the latest poll that a limit asked for, in monotonic seconds."""
    retry_after_seconds: float = 0.0
    """The time that AiTEMS asked to wait for, in its latest result."""

    def end_gap(self, now: datetime) -> None:
        """Note the end of a gap in polling: changes before it may have been missed."""
        self.polling_since, self.service_was_gone = now, False


class PollTargets:
    """All targets by the key of their poll, and the schedule of their next starts.

    A target that is being polled has no next start until its run ends.
    """

    def __init__(self) -> None:
        self._by_key: dict[str, PollTarget] = {}
        self._schedule = PollSchedule()
        self._rescheduled = Wake()

    def __iter__(self) -> Iterator[PollTarget]:
        return iter(tuple(self._by_key.values()))

    def get(self, key: str) -> PollTarget | None:
        """Return the target of a poll, if there is one."""
        return self._by_key.get(key)

    def keys(self) -> frozenset[str]:
        """Return the keys of all polls."""
        return frozenset(self._by_key)

    def add(self, target: PollTarget, start: float) -> None:
        """Add a target with its first start, in monotonic seconds."""
        self._by_key[target.poll.key] = target
        self.plan(target.poll.key, start)

    def replace(self, poll: Poll, start: float) -> None:
        """Replace a target's poll by another one with the same key.

        One that is being polled keeps no start: the end of that run schedules the new target, so that the two never
        overlap.
        """
        before = self._by_key[poll.key]
        before.retired = True
        self._by_key[poll.key] = replace(before, poll=poll, retired=False)
        if self._schedule.contains(poll.key):
            self.plan(poll.key, start)

    def rename(self, poll: Poll) -> bool:
        """Adopt the present name of a poll's service; return whether it is another one than before."""
        target = self._by_key[poll.key]
        if target.poll.attributes.name == poll.attributes.name:
            return False
        target.poll = poll
        return True

    def retire(self, key: str) -> None:
        """Remove a target; the result of a run under way will be ignored."""
        self._by_key.pop(key).retired = True
        self._schedule.drop(key)

    def plan(self, key: str, start: float) -> None:
        """Set the next start of a target, in monotonic seconds."""
        self._schedule.put(key, start)
        self._rescheduled.tick()

    def plan_replacement(self, key: str, start: float) -> None:
        """Set the next start of the target that replaced a retired one during its run, if there is one."""
        if key in self._by_key and not self._schedule.contains(key):
            self.plan(key, start)

    def bring_forward(self, keys: Iterable[str], start: float) -> None:
        """Bring the next starts of these targets forward, the first one to ``start``; those being polled have none."""
        for index, key in enumerate(keys):
            self._schedule.bring_forward(key, start + index / STARTS_PER_SECOND)
        self._rescheduled.tick()

    def take_due(self, now: float) -> list[tuple[PollTarget, float]]:
        """Take the due targets from the schedule, each with the time at which it was due."""
        return [(self._by_key[key], due_at) for key, due_at in self._schedule.take_due(now).items()]

    def next_due(self) -> float | None:
        """Return the earliest next start, in monotonic seconds."""
        return self._schedule.next_due()

    async def rescheduled(self, timeout_seconds: float) -> None:
        """Wait until a start is set or brought forward, at most this long."""
        await self._rescheduled.wait(timeout_seconds)

    def notify_rescheduled(self) -> None:
        """End the current or the next wait of ``rescheduled``."""
        self._rescheduled.tick()

    def clear_schedule(self) -> None:
        """Drop every next start."""
        self._schedule = PollSchedule()
