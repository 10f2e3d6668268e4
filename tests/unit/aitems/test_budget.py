"""The budget: how many at once, in which order, how fast; and that nothing is lost when a waiting call is cancelled."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from itertools import pairwise

import pytest

from watcher.aitems.budget import Budget, BudgetSlot
from watcher.clock import Clock

FAST = 10_000.0


class HandClock(Clock):
    """Stands still until a test moves it."""

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
    """Calls that keep their turn until they are let go, and the order in which they began."""

    def __init__(self, budget: Budget) -> None:
        self.budget = budget
        self.begun: list[str] = []
        self.tasks: dict[str, asyncio.Task[None]] = {}
        self.let_go: dict[str, asyncio.Event] = {}

    async def ask(self, name: str, *, first: bool = False) -> None:
        """Ask for a turn and see that the asking is in line."""
        self.let_go[name] = asyncio.Event()
        self.tasks[name] = asyncio.create_task(self._run(name, first=first))
        await asyncio.sleep(0)

    async def _run(self, name: str, *, first: bool) -> None:
        async with self.budget.slot(first=first) as slot:
            slot.on_write()
            self.begun.append(name)
            await self.let_go[name].wait()

    async def end(self) -> None:
        for event in self.let_go.values():
            event.set()
        await asyncio.gather(*self.tasks.values(), return_exceptions=True)


async def test_turns_are_given_in_the_order_of_asking_and_confirmations_first() -> None:
    calls = Calls(make_budget(max_concurrency=1))
    for name in ("a", "b", "c"):
        await calls.ask(name)
    for name in ("first-1", "first-2"):
        await calls.ask(name, first=True)
    await calls.end()
    assert calls.begun == ["a", "first-1", "first-2", "b", "c"]


async def test_no_more_turns_are_held_at_once_than_allowed() -> None:
    calls = Calls(make_budget(max_concurrency=2))
    for name in ("a", "b", "c"):
        await calls.ask(name)
    await until(lambda: len(calls.begun) == 2)
    await asyncio.sleep(0.01)
    assert calls.begun == ["a", "b"]
    calls.let_go["a"].set()
    await until(lambda: len(calls.begun) == 3)
    await calls.end()


async def test_no_turn_is_given_while_another_has_not_written_yet() -> None:
    budget = make_budget(max_concurrency=2)
    calls = Calls(budget)
    async with AsyncExitStack() as stack:
        slot: BudgetSlot = await stack.enter_async_context(budget.slot())
        await calls.ask("a")
        await asyncio.sleep(0.01)
        assert calls.begun == []
        slot.on_write()
        await until(lambda: calls.begun == ["a"])
    await calls.end()


async def test_a_turn_that_never_wrote_lets_the_next_go_when_it_ends() -> None:
    budget = make_budget()
    async with budget.slot():
        pass
    async with asyncio.timeout(5), budget.slot():
        pass


async def test_a_call_that_fails_gives_its_turn_back() -> None:
    budget = make_budget(max_concurrency=1)

    async def fail() -> None:
        async with budget.slot():
            raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        await fail()
    async with asyncio.timeout(5), budget.slot():
        pass


async def test_a_cancelled_call_leaves_the_line() -> None:
    calls = Calls(make_budget(max_concurrency=1))
    for name in ("a", "b", "c"):
        await calls.ask(name)
    calls.tasks["b"].cancel()
    await calls.end()
    assert calls.begun == ["a", "c"]
    assert calls.tasks["b"].cancelled()


async def test_a_turn_given_to_a_call_that_is_cancelled_in_the_same_moment_is_not_lost() -> None:
    calls = Calls(make_budget(max_concurrency=1))
    await calls.ask("a")
    await until(lambda: calls.begun == ["a"])
    await calls.ask("b")
    await calls.ask("c")
    calls.let_go["a"].set()
    # Run on until "b" has its turn but has not woken up yet.
    line = calls.budget._routine
    while len(line) == 2:
        await asyncio.sleep(0)
    calls.tasks["b"].cancel()
    await calls.end()
    assert calls.begun == ["a", "c"]


async def test_all_waiting_calls_may_be_cancelled_and_the_budget_goes_on() -> None:
    calls = Calls(make_budget(max_concurrency=1))
    for number in range(20):
        await calls.ask(str(number))
    for task in calls.tasks.values():
        task.cancel()
    await calls.end()
    async with asyncio.timeout(5), calls.budget.slot():
        pass


async def test_the_rate_holds_for_every_window() -> None:
    budget = make_budget(per_second=40)
    clock = Clock()
    begun = []
    for _ in range(6):
        async with budget.slot() as slot:
            begun.append(clock.monotonic())
            slot.on_write()
    assert all(later - earlier >= 1 / 40 for earlier, later in pairwise(begun))


async def test_a_request_is_counted_when_it_is_written_too() -> None:
    clock = HandClock()
    budget = make_budget(per_second=1, clock=clock)
    async with budget.slot() as slot:
        clock.seconds += 30
        slot.on_write()
    assert budget._rate_limiter.wait_seconds(clock.seconds) >= 1


async def test_a_pause_holds_back_what_waits() -> None:
    clock = HandClock()
    budget = make_budget(clock=clock)
    calls = Calls(budget)
    budget.pause_for(0.02)
    await calls.ask("a")
    await asyncio.sleep(0.05)
    assert calls.begun == []
    clock.seconds += 0.02
    await until(lambda: calls.begun == ["a"])
    await calls.end()


def test_a_concurrency_below_one_is_refused() -> None:
    with pytest.raises(ValueError, match="max_concurrency"):
        make_budget(max_concurrency=0)
