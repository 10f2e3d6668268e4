"""How often a service is asked about its updates, and that failed rounds wait ever longer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

from tests.unit.pipeline.polling.test_cache import RowStore
from watcher.clock import Clock
from watcher.core.incidents.model import Thresholds
from watcher.core.polling.plan import Poll, WatchAttributes
from watcher.core.polling.result import Cause, PollFailure, PollResult
from watcher.core.polling.schedule import Cadence
from watcher.core.training.model import ServiceRef
from watcher.core.updates.result import ScheduleResult
from watcher.core.updates.schedule import ServiceSchedule
from watcher.pipeline.clock_trust import ClockTrust
from watcher.pipeline.polling.cache import PollCache
from watcher.pipeline.polling.decider import Changes
from watcher.pipeline.polling.incidents.monitor import IncidentMonitor
from watcher.pipeline.polling.targets import PollContext, PollTarget
from watcher.pipeline.polling.updates.rounds import UpdateRounds

NOW = datetime(2026, 11, 29, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
POLL = Poll(service=ServiceRef("main", "s"), cadence=Cadence(interval=MINUTE, idle_interval=5 * MINUTE))
LISTED = PollResult(shown=(), asked_at=NOW, answered_at=NOW, digest=b"")
DOWN = PollFailure(cause=Cause.SERVER, detail="", asked_at=NOW, ended_at=NOW)


@dataclass
class SteppedClock(Clock):
    minutes: float = 0.0

    def monotonic(self) -> float:
        return self.minutes * 60

    def utc_now(self) -> datetime:
        return NOW + self.minutes * MINUTE


@dataclass
class Rounds:
    """Rounds of one service, with an API that always answers the same."""

    answer: ScheduleResult | PollFailure
    updates: bool | None = None
    clock: SteppedClock = field(default_factory=SteppedClock)
    asked: list[float] = field(default_factory=list)
    """The minute of each call."""

    async def schedule(self, _ref: ServiceRef) -> ScheduleResult | PollFailure:
        self.asked.append(self.clock.minutes)
        return self.answer

    async def run(self, minutes: int) -> list[float]:
        """Poll the list each minute; return the minutes of the calls."""
        cache = PollCache(RowStore())
        target = PollTarget(
            poll=Poll(**{**_fields(POLL), "attributes": WatchAttributes(updates=self.updates)}), polling_since=NOW
        )
        monitor = IncidentMonitor(cache, Thresholds(), ClockTrust(self.clock))
        monitor.watch(target.poll)
        spawned: list[Coroutine[Any, Any, None]] = []

        async def record(_target: PollTarget, decide: Callable[[PollContext], Changes]) -> Changes:
            changes = decide(PollContext(poll=target.poll, polling_since=NOW))
            cache.note((), () if changes.state is None else (changes.state,))
            return changes

        api: Any = self
        rounds = UpdateRounds(
            {"main": api}, cache, monitor, record, self.clock, spawn=spawned.append, is_ready=lambda: True
        )
        for _ in range(minutes):
            rounds.after_list(target, LISTED)
            while spawned:
                await spawned.pop()
            self.clock.minutes += 1
        return self.asked


def _fields(poll: Poll) -> dict[str, Any]:
    return {"service": poll.service, "cadence": poll.cadence}


def schedule(kind: str) -> ScheduleResult:
    return ScheduleResult(schedule=ServiceSchedule(type=kind, status="scheduled", learning_interval="hour1"))


def test_an_interval_service_is_asked_every_ten_minutes_and_any_other_one_each_hour() -> None:
    assert asyncio.run(Rounds(schedule("interval")).run(31)) == [0, 10, 20, 30]
    assert asyncio.run(Rounds(schedule("batch")).run(120)) == [0, 51, 102]


def test_failed_calls_wait_ever_longer_up_to_half_an_hour() -> None:
    asked = asyncio.run(Rounds(DOWN).run(150))
    waits = [later - minute for minute, later in pairwise(asked)]
    assert waits == [5, 9, 17, 26, 26, 26, 26]


def test_a_watch_that_turns_updates_off_asks_nothing() -> None:
    assert asyncio.run(Rounds(schedule("interval"), updates=False).run(60)) == []
