"""Says that requests of a command wait for the budget of their account, how long and why; says it again each minute."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Final

from watcher.clock import Clock
from watcher.core.polling.rate_limit import NO_WAIT, BudgetWait
from watcher.wiring.accounts import Budgets

OnWait = Callable[[BudgetWait], None]

NOTICEABLE_SECONDS: Final = 2.0
"""A shorter wait is not mentioned, nor such a change of a wait that was."""
PAUSE_SECONDS: Final = 0.25
REPEAT_SECONDS: Final = 60.0
"""The longest silence: a command that hears nothing for minutes takes its daemon for hung."""


@dataclass(frozen=True, slots=True)
class BudgetUse:
    """The budgets for the calls of a command, and the listener for waits."""

    budgets: Budgets = field(default_factory=Budgets)
    """Those of the daemon, where it makes the calls."""
    on_wait: OnWait | None = None
    """Is called where calls wait for the budget of their account, and each minute with the present waits, if any."""


@asynccontextmanager
async def saying_waits(use: BudgetUse, clock: Clock) -> AsyncIterator[None]:
    """Call the listener while the block runs: for each noticeable wait that begins or becomes longer, and each minute.

    After a minute without such a wait it gets ``NO_WAIT``.
    """
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
    last = clock.monotonic()
    while True:
        now = clock.monotonic()
        is_due = now - last >= REPEAT_SECONDS
        waits = [wait for wait in budgets.waits() if wait.seconds >= NOTICEABLE_SECONDS]
        news = [wait for wait in waits if now + wait.seconds - said.get(wait.account, 0.0) >= NOTICEABLE_SECONDS]
        for wait in (waits or [NO_WAIT]) if is_due else news:
            said[wait.account] = now + wait.seconds
            last = now
            on_wait(wait)
        await asyncio.sleep(PAUSE_SECONDS)
