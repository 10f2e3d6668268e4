"""How often a service is asked about its updates, and that failed rounds wait ever longer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from unittest import mock

import pytest

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
from watcher.pipeline.polling.incidents.monitor import IncidentMonitor, IncidentUpdate
from watcher.pipeline.polling.poll_changes import Changes
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


async def answered(answers: Mapping[str, ScheduleResult | PollFailure]) -> None:
    """Ask once about each service, one after the other."""
    clock, cache = SteppedClock(), PollCache(RowStore())
    monitor = IncidentMonitor(cache, Thresholds(), ClockTrust(clock))
    spawned: list[Coroutine[Any, Any, None]] = []

    class Answers:
        async def schedule(self, ref: ServiceRef) -> ScheduleResult | PollFailure:
            return answers[ref.service]

    async def record(target: PollTarget, decide: Callable[[PollContext], Changes]) -> Changes:
        changes = decide(PollContext(poll=target.poll, polling_since=NOW))
        cache.note((), () if changes.state is None else (changes.state,))
        return changes

    api: Any = Answers()
    rounds = UpdateRounds({"main": api}, cache, monitor, record, clock, spawn=spawned.append, is_ready=lambda: True)
    for service in answers:
        poll = replace(POLL, service=ServiceRef("main", service))
        monitor.watch(poll)
        rounds.after_list(PollTarget(poll=poll, polling_since=NOW), LISTED)
        await spawned.pop()


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


def test_the_cost_of_an_answer_does_not_grow_with_the_services_of_the_account() -> None:
    services = 300
    with mock.patch.object(PollCache, "poll", autospec=True, side_effect=PollCache.poll) as looked_up:
        asyncio.run(answered({f"s{number}": schedule("batch") for number in range(services)}))
    assert looked_up.call_count < 10 * services


@pytest.mark.parametrize(("other", "calls"), [(DOWN, 0), (schedule("batch"), 2)])
def test_an_answer_about_one_service_says_nothing_while_the_calls_about_another_one_fail(
    other: ScheduleResult | PollFailure, calls: int
) -> None:
    with mock.patch.object(IncidentMonitor, "updates_answered", return_value=IncidentUpdate()) as noted:
        asyncio.run(answered({"other": other, "s": schedule("batch")}))
    assert noted.call_count == calls


def test_a_watch_that_turns_updates_off_asks_nothing() -> None:
    assert asyncio.run(Rounds(schedule("interval"), updates=False).run(60)) == []
