"""A command hears at least each minute from its calls, in virtual time."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest

from tests.support.virtual import VirtualClock, run
from watcher.aitems.budget import Budget
from watcher.clock import Clock
from watcher.config import AccountSettings
from watcher.core.polling.rate_limit import BudgetWait
from watcher.reports.online import wait_text
from watcher.wiring.accounts import Budgets
from watcher.wiring.budget_waits import BudgetUse, saying_waits

SETTINGS = AccountSettings.model_validate(
    {"access_key": {"env": "A"}, "secret_key": {"env": "B"}, "requests_per_second": 1.0, "max_concurrency": 2}
)
CLIENT_SECONDS = 330.0
"""A command beside a daemon gives up after so long a silence."""


async def one_call(budget: Budget, seconds: float) -> None:
    async with budget.slot() as slot:
        slot.on_write()
        await asyncio.sleep(seconds)


def heard(calls: int, each_seconds: float, pause_seconds: float = 0.0) -> tuple[list[str], list[float], float]:
    """Return the lines about so many calls, their times, and the end of the calls, in seconds from the start."""

    async def main(clock: VirtualClock) -> tuple[list[str], list[float], float]:
        lines, times = list[str](), list[float]()

        def note(wait: BudgetWait) -> None:
            lines.append(wait_text(wait))
            times.append(clock.monotonic())

        time, budgets = cast("Clock", clock), Budgets()
        budget = budgets.of("main", SETTINGS, time)
        if pause_seconds:
            budget.pause_for(pause_seconds, "quota")
        async with saying_waits(BudgetUse(budgets, note), time):
            await asyncio.gather(*(one_call(budget, each_seconds) for _ in range(calls)))
            return lines, times, clock.monotonic()

    return run(main)


CASES = {
    "a backlog at the rate of the account": (900, 0.1, 0.0),
    "a pause that AiTEMS asked for": (1, 0.1, 900.0),
    "calls that wait for the concurrency of the account": (4, 500.0, 0.0),
    "one call that takes long": (1, 900.0, 0.0),
}


@pytest.mark.parametrize("case", sorted(CASES))
def test_no_silence_is_longer_than_a_minute(case: str) -> None:
    _, times, end = heard(*CASES[case])
    assert end > 2 * CLIENT_SECONDS
    assert max(later - earlier for earlier, later in zip([0.0, *times], [*times, end], strict=True)) < 61
    assert len(times) < end / 60 + 3


def test_a_line_that_repeats_has_the_present_wait() -> None:
    lines, _, _ = heard(1, 0.1, 150.0)
    begins = (
        "account main: 1 call waits 2m30s:",
        "account main: 1 call waits 1m30s:",
        "account main: 1 call waits 30s:",
    )
    assert [line.startswith(begin) for line, begin in zip(lines, begins, strict=True)] == [True] * 3


def test_calls_without_a_wait_are_said_to_be_in_progress() -> None:
    lines, _, _ = heard(1, 100.0)
    assert lines == ["calls are in progress; none waits for the budget of its account"]


def test_calls_that_end_soon_are_not_mentioned() -> None:
    assert heard(2, 1.0)[0] == []
