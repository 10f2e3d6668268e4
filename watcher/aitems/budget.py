"""An account's request budget: how many at once, how many a second, and who goes first."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from watcher.clock import Clock
from watcher.core.polling.rate_limit import RateLimiter


class BudgetSlot:
    """The right to make one request."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget

    def on_write(self) -> None:
        """Count the request now: its connection stands, and it is about to be written."""
        self._budget.count(self)


class Budget:
    """Hands out turns: confirmations before routine looks, in the order of asking otherwise.

    A turn is counted when it is given and again when its request is written. Until then no other is given, so
    that two requests cannot meet at the server because one of them had to open a connection first.
    """

    def __init__(
        self,
        *,
        per_second: float,
        max_concurrency: int,
        clock: Clock,
        on_request: Callable[[], None] | None = None,
    ) -> None:
        if max_concurrency < 1:
            raise ValueError(f"max_concurrency must be at least 1, not {max_concurrency}")
        self._rate_limiter = RateLimiter.of_rate(per_second)
        self.max_concurrency = max_concurrency
        self._free = max_concurrency
        self._clock = clock
        self._on_request = on_request
        self._first: deque[asyncio.Future[BudgetSlot]] = deque()
        self._routine: deque[asyncio.Future[BudgetSlot]] = deque()
        self._unwritten: BudgetSlot | None = None
        self._timer: asyncio.TimerHandle | None = None

    @asynccontextmanager
    async def slot(self, *, first: bool = False) -> AsyncIterator[BudgetSlot]:
        """Wait for a turn and hold it; ``first`` goes before what is routine."""
        slot = await self._wait(self._first if first else self._routine)
        try:
            yield slot
        finally:
            self._give_back(slot)

    def pause_for(self, seconds: float) -> None:
        """Give no turn for so long; turns already given go on."""
        self._rate_limiter = self._rate_limiter.paused(self._clock.monotonic() + seconds)

    def count(self, slot: BudgetSlot) -> None:
        """Note that the turn's request is being written."""
        self._rate_limiter = self._rate_limiter.started(self._clock.monotonic())
        if self._on_request is not None:
            self._on_request()
        self._settle(slot)

    async def _wait(self, line: deque[asyncio.Future[BudgetSlot]]) -> BudgetSlot:
        place: asyncio.Future[BudgetSlot] = asyncio.get_running_loop().create_future()
        line.append(place)
        self._give()
        try:
            return await place
        except asyncio.CancelledError:
            # Cancelled in the same moment as the turn was given: it goes back.
            if place.done() and not place.cancelled():
                self._give_back(place.result())
            elif place in line:
                line.remove(place)
            raise

    def _give(self) -> None:
        while self._free and self._unwritten is None and (line := self._first or self._routine):
            now = self._clock.monotonic()
            if wait := self._rate_limiter.wait_seconds(now):
                self._give_in(wait)
                return
            place = line.popleft()
            if not place.cancelled():
                self._start(place, now)

    def _start(self, place: asyncio.Future[BudgetSlot], now: float) -> None:
        slot = BudgetSlot(self)
        self._rate_limiter = self._rate_limiter.started(now)
        self._free -= 1
        self._unwritten = slot
        place.set_result(slot)

    def _give_in(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(seconds, self._give)

    def _give_back(self, slot: BudgetSlot) -> None:
        self._free += 1
        self._settle(slot)

    def _settle(self, slot: BudgetSlot) -> None:
        if self._unwritten is slot:
            self._unwritten = None
        self._give()
