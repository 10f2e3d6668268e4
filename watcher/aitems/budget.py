"""An account's request budget: how many at once, how many a second, and who goes first."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from watcher.clock import Clock
from watcher.core.polling.rate_limit import Pacer


class Turn:
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
        self._pacer = Pacer.of_rate(per_second)
        self.max_concurrency = max_concurrency
        self._free = max_concurrency
        self._clock = clock
        self._on_request = on_request
        self._first: deque[asyncio.Future[Turn]] = deque()
        self._routine: deque[asyncio.Future[Turn]] = deque()
        self._unwritten: Turn | None = None
        self._timer: asyncio.TimerHandle | None = None

    @asynccontextmanager
    async def turn(self, *, first: bool = False) -> AsyncIterator[Turn]:
        """Wait for a turn and hold it; ``first`` goes before what is routine."""
        turn = await self._wait(self._first if first else self._routine)
        try:
            yield turn
        finally:
            self._give_back(turn)

    def pause_for(self, seconds: float) -> None:
        """Give no turn for so long; turns already given go on."""
        self._pacer = self._pacer.paused(self._clock.monotonic() + seconds)

    def count(self, turn: Turn) -> None:
        """Note that the turn's request is being written."""
        self._pacer = self._pacer.started(self._clock.monotonic())
        if self._on_request is not None:
            self._on_request()
        self._settle(turn)

    async def _wait(self, line: deque[asyncio.Future[Turn]]) -> Turn:
        place: asyncio.Future[Turn] = asyncio.get_running_loop().create_future()
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
            if wait := self._pacer.wait_seconds(now):
                self._give_in(wait)
                return
            place = line.popleft()
            if not place.cancelled():
                self._start(place, now)

    def _start(self, place: asyncio.Future[Turn], now: float) -> None:
        turn = Turn(self)
        self._pacer = self._pacer.started(now)
        self._free -= 1
        self._unwritten = turn
        place.set_result(turn)

    def _give_in(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(seconds, self._give)

    def _give_back(self, turn: Turn) -> None:
        self._free += 1
        self._settle(turn)

    def _settle(self, turn: Turn) -> None:
        if self._unwritten is turn:
            self._unwritten = None
        self._give()
