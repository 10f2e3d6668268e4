"""Says that requests of a command wait for the budget of their account, how long and why."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Final

from watcher.clock import Clock
from watcher.core.polling.rate_limit import BudgetWait
from watcher.wiring.accounts import Budgets

OnWait = Callable[[BudgetWait], None]

NOTICEABLE_SECONDS: Final = 2.0
"""A shorter wait is not mentioned, nor such a change of a wait that was."""
PAUSE_SECONDS: Final = 0.25


@dataclass(frozen=True, slots=True)
class BudgetUse:
    """The budgets for the calls of a command, and the listener for waits."""

    budgets: Budgets = field(default_factory=Budgets)
    """Those of the daemon, where it makes the calls."""
    on_wait: OnWait | None = None
    """Is called where calls wait for the budget of their account."""


@asynccontextmanager
async def saying_waits(use: BudgetUse, clock: Clock) -> AsyncIterator[None]:
    """Call the listener once for each noticeable wait that begins, or becomes longer, while the block runs."""
    task = None if use.on_wait is None else asyncio.create_task(_say_waits(use.budgets, use.on_wait, clock))
    try:
        yield
    finally:
        if task is not None:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


async def _say_waits(budgets: Budgets, on_wait: OnWait, clock: Clock) -> None:
    said: dict[str, float] = {}
    while True:
        for wait in budgets.waits():
            until = clock.monotonic() + wait.seconds
            if wait.seconds >= NOTICEABLE_SECONDS and until - said.get(wait.account, 0.0) >= NOTICEABLE_SECONDS:
                said[wait.account] = until
                on_wait(wait)
        await asyncio.sleep(PAUSE_SECONDS)
