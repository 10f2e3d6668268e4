"""The budget: its concurrency, order and rate, and slots of cancelled calls."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from itertools import pairwise

import pytest

from watcher.aitems.budget import CALM_SECONDS, Budget, BudgetSlot, Need, NoRoomError
from watcher.clock import Clock
from watcher.core.polling.rate_limit import BudgetWait

FAST = 10_000.0


class ManualClock(Clock):
    """A clock that moves only when a test sets it."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def monotonic(self) -> float:
        return self.seconds


def make_budget(per_second: float = FAST, max_concurrency: int = 8, clock: Clock | None = None) -> Budget:
    return Budget(per_second=per_second, max_concurrency=max_concurrency, clock=clock or Clock())


async def until(reached: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not reached():
            await asyncio.sleep(0.001)


class Calls:
    """Calls that hold their slot until a test ends them, with the order in which they started."""

    def __init__(self, budget: Budget) -> None:
        self.budget = budget
        self.started: list[str] = []
        self.tasks: dict[str, asyncio.Task[None]] = {}
        self.release: dict[str, asyncio.Event] = {}

    async def start(self, name: str, *, first: bool = False, need: Need = Need.REQUIRED) -> None:
        """Start a call and let it join the queue."""
        self.release[name] = asyncio.Event()
        self.tasks[name] = asyncio.create_task(self._run(name, first=first, need=need))
        await asyncio.sleep(0)

    async def _run(self, name: str, *, first: bool, need: Need) -> None:
        async with self.budget.slot(first=first, need=need) as slot:
            slot.on_write()
            self.started.append(name)
            await self.release[name].wait()

    async def drop(self) -> None:
        """Cancel the calls that still wait."""
        for task in self.tasks.values():
            task.cancel()
        await self.end()

    async def end(self) -> None:
        for event in self.release.values():
            event.set()
        await asyncio.gather(*self.tasks.values(), return_exceptions=True)


async def test_slots_are_granted_in_the_order_of_arrival_after_confirmations() -> None:
    calls = Calls(make_budget(max_concurrency=1))
    for name in ("a", "b", "c"):
        await calls.start(name)
    for name in ("first-1", "first-2"):
        await calls.start(name, first=True)
    await calls.end()
    assert calls.started == ["a", "first-1", "first-2", "b", "c"]


async def test_no_more_slots_are_held_at_once_than_allowed() -> None:
    calls = Calls(make_budget(max_concurrency=2))
    for name in ("a", "b", "c"):
        await calls.start(name)
    await until(lambda: len(calls.started) == 2)
    await asyncio.sleep(0.01)
    assert calls.started == ["a", "b"]
    calls.release["a"].set()
    await until(lambda: len(calls.started) == 3)
    await calls.end()


async def test_no_slot_is_granted_while_another_request_is_not_written_yet() -> None:
    budget = make_budget(max_concurrency=2)
    calls = Calls(budget)
    async with AsyncExitStack() as stack:
        slot: BudgetSlot = await stack.enter_async_context(budget.slot())
        await calls.start("a")
        await asyncio.sleep(0.01)
        assert calls.started == []
        slot.on_write()
        await until(lambda: calls.started == ["a"])
    await calls.end()


async def test_a_slot_without_a_request_lets_the_next_go_when_it_ends() -> None:
    budget = make_budget()
    async with budget.slot():
        pass
    async with asyncio.timeout(5), budget.slot():
        pass


async def test_a_failed_call_releases_its_slot() -> None:
    budget = make_budget(max_concurrency=1)

    async def fail() -> None:
        async with budget.slot():
            raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        await fail()
    async with asyncio.timeout(5), budget.slot():
        pass


async def test_a_cancelled_call_leaves_the_queue() -> None:
    calls = Calls(make_budget(max_concurrency=1))
    for name in ("a", "b", "c"):
        await calls.start(name)
    calls.tasks["b"].cancel()
    await calls.end()
    assert calls.started == ["a", "c"]
    assert calls.tasks["b"].cancelled()


async def test_a_slot_granted_just_before_its_call_is_cancelled_is_not_lost() -> None:
    calls = Calls(make_budget(max_concurrency=1))
    await calls.start("a")
    await until(lambda: calls.started == ["a"])
    await calls.start("b")
    await calls.start("c")
    calls.release["a"].set()
    # Run until "b" has its slot but has not woken up yet.
    queue = calls.budget._routine
    while len(queue) == 2:
        await asyncio.sleep(0)
    calls.tasks["b"].cancel()
    await calls.end()
    assert calls.started == ["a", "c"]


async def test_the_budget_works_after_all_waiting_calls_are_cancelled() -> None:
    calls = Calls(make_budget(max_concurrency=1))
    for number in range(20):
        await calls.start(str(number))
    await calls.drop()
    async with asyncio.timeout(5), calls.budget.slot():
        pass


async def test_the_rate_applies_to_every_window() -> None:
    budget = make_budget(per_second=40)
    clock = Clock()
    started = []
    for _ in range(6):
        async with budget.slot() as slot:
            started.append(clock.monotonic())
            slot.on_write()
    assert all(later - earlier >= 1 / 40 for earlier, later in pairwise(started))


async def test_a_request_is_counted_again_when_it_is_written() -> None:
    clock = ManualClock()
    budget = make_budget(per_second=1, clock=clock)
    async with budget.slot() as slot:
        clock.seconds += 30
        slot.on_write()
    assert budget._rate_limiter.wait_seconds(clock.seconds) >= 1


async def test_a_pause_holds_waiting_calls_back() -> None:
    clock = ManualClock()
    budget = make_budget(clock=clock)
    calls = Calls(budget)
    budget.pause_for(0.02)
    await calls.start("a")
    await asyncio.sleep(0.05)
    assert calls.started == []
    clock.seconds += 0.02
    await until(lambda: calls.started == ["a"])
    await calls.end()


@pytest.mark.parametrize(
    ("pauses", "seconds"),
    [([300.0], [300.0]), ([300.0, 5.0], [300.0, 290.0]), ([5.0, 300.0], [5.0, 300.0])],
)
def test_a_pause_says_how_long_the_account_pauses_in_all(pauses: list[float], seconds: list[float]) -> None:
    clock = ManualClock()
    budget = make_budget(clock=clock)
    found = []
    for pause in pauses:
        found.append(budget.pause_for(pause))
        clock.seconds += 10
    assert found == seconds


def test_a_concurrency_below_one_is_rejected() -> None:
    with pytest.raises(ValueError, match="max_concurrency"):
        make_budget(max_concurrency=0)


async def waiting(budget: Budget, calls: int) -> BudgetWait | None:
    """Return the wait while so many calls are in the queue; they end then."""
    queue = Calls(budget)
    for number in range(calls):
        await queue.start(f"{number}")
    wait = budget.wait_of("main")
    for task in queue.tasks.values():
        task.cancel()
    await queue.end()
    return wait


@pytest.mark.parametrize(
    ("pauses", "calls", "seconds", "cause"),
    [
        ([(300.0, "quota")], 1, 300.0, "quota"),
        ([(300.0, "quota")], 3, 320.0, "quota"),
        ([(300.0, "quota"), (5.0, "rate")], 1, 300.0, "quota"),
        ([(5.0, "rate"), (300.0, "throttle")], 1, 300.0, "throttle"),
        ([(1.0, "")], 1, 1.0, ""),
    ],
)
async def test_a_budget_says_how_long_its_calls_wait_and_why(
    pauses: list[tuple[float, str]], calls: int, seconds: float, cause: str
) -> None:
    budget = make_budget(per_second=0.1, clock=ManualClock())
    for pause in pauses:
        budget.pause_for(*pause)
    wait = await waiting(budget, calls)
    assert wait == BudgetWait(account="main", calls=calls, seconds=seconds, cause=cause)


async def test_the_rate_alone_makes_calls_wait_without_a_cause_and_a_pause_that_is_over_has_none() -> None:
    clock = ManualClock()
    budget = make_budget(per_second=0.1, clock=clock)
    budget.pause_for(3.0, "rate")
    clock.seconds += 4.0
    async with budget.slot() as slot:
        slot.on_write()
    assert await waiting(budget, 2) == BudgetWait(account="main", calls=2, seconds=20.0)
    assert await waiting(budget, 0) is None


async def optional_is_refused(budget: Budget) -> bool:
    try:
        async with asyncio.timeout(0.1), budget.slot(need=Need.IF_FREE):
            return False
    except NoRoomError:
        return True


async def test_an_optional_request_is_made_where_no_other_waits_for_a_slot() -> None:
    budget = make_budget(max_concurrency=2)
    calls = Calls(budget)
    await calls.start("routine")
    assert not await optional_is_refused(budget)
    await calls.start("all slots used")
    assert await optional_is_refused(budget)
    await calls.start("waiting")
    assert await optional_is_refused(budget)
    await calls.end()
    assert not await optional_is_refused(budget)


async def test_an_optional_request_is_refused_until_a_minute_after_a_pause() -> None:
    clock = ManualClock()
    budget = make_budget(clock=clock)
    budget.pause_for(40)
    refused = []
    for seconds in (0, 41, CALM_SECONDS - 2, 2):
        clock.seconds += seconds
        refused.append(await optional_is_refused(budget))
    assert refused == [True, True, True, False]


async def test_an_optional_request_is_refused_while_a_connection_is_opened() -> None:
    budget = make_budget()
    async with budget.slot():
        assert await optional_is_refused(budget)


@pytest.mark.parametrize("reason", ["routine", "first", "optional", "pause"])
async def test_an_optional_request_that_waits_for_the_rate_gives_way(reason: str) -> None:
    clock = ManualClock()
    budget = make_budget(per_second=1, clock=clock)
    calls = Calls(budget)
    await calls.start("before")
    await calls.start("optional", need=Need.IF_FREE)
    assert calls.started == ["before"]
    if reason == "pause":
        budget.pause_for(900)
    else:
        await calls.start(
            "other", first=reason == "first", need=Need.IF_FREE if reason == "optional" else Need.REQUIRED
        )
    refused = "other" if reason == "optional" else "optional"
    await asyncio.sleep(0)
    assert isinstance(calls.tasks[refused].exception(), NoRoomError)
    await calls.drop()


async def test_an_optional_request_in_turn_is_made_among_the_others() -> None:
    calls = Calls(make_budget(max_concurrency=1))
    for name in ("before", "waiting"):
        await calls.start(name)
    await calls.start("optional", need=Need.IN_TURN)
    await calls.start("later")
    await calls.end()
    assert calls.started == ["before", "waiting", "optional", "later"]


async def test_an_optional_request_in_turn_gives_way_to_a_pause_and_leaves_its_place() -> None:
    clock = ManualClock()
    budget = make_budget(per_second=1, clock=clock)
    calls = Calls(budget)
    await calls.start("before")
    await calls.start("optional", need=Need.IN_TURN)
    await calls.start("other")
    budget.pause_for(900)
    await calls.start("in the pause", need=Need.IN_TURN)
    await asyncio.sleep(0)
    for name in ("optional", "in the pause"):
        assert isinstance(calls.tasks[name].exception(), NoRoomError)
    assert budget.wait_of("main") == BudgetWait(account="main", calls=1, seconds=900.0)
    await calls.drop()


async def test_an_optional_request_is_made_after_the_spacing_of_the_rate() -> None:
    calls = Calls(make_budget(per_second=100))
    await calls.start("before")
    await calls.start("optional", need=Need.IF_FREE)
    await until(lambda: calls.started == ["before", "optional"])
    await calls.end()


async def test_a_cancelled_optional_request_leaves_its_place() -> None:
    clock = ManualClock()
    budget = make_budget(per_second=1, clock=clock)
    calls = Calls(budget)
    await calls.start("before")
    await calls.start("cancelled", need=Need.IF_FREE)
    calls.tasks["cancelled"].cancel()
    await asyncio.sleep(0)
    await calls.start("next", need=Need.IF_FREE)
    assert not calls.tasks["next"].done()
    calls.tasks["next"].cancel()
    await calls.end()
