"""The request budget of an account: its concurrency, its rate, and the order of waiting requests."""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import AbstractAsyncContextManager
from enum import Enum
from typing import Final

from watcher.clock import Clock
from watcher.core.polling.rate_limit import BudgetWait, RateLimiter

CALM_SECONDS: Final = 60.0
"""After a pause that AiTEMS asked for, optional requests wait so long, as they might cause the next one."""


class Need(Enum):
    """How a request is treated beside the others of its account."""

    REQUIRED = "required"
    IN_TURN = "in-turn"
    """Optional: it takes its turn, and gives way to a pause alone."""
    IF_FREE = "if-free"
    """Optional: it waits for the spacing of the rate alone, and gives way to any other request."""


class NoRoomError(Exception):
    """The budget has no room for an optional request."""


class BudgetSlot:
    """The right to make one request."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget

    def on_write(self) -> None:
        """Count the request now, with its connection open and just before it is written."""
        self._budget.count(self)


class Budget:
    """Grants slots for requests: confirmations before routine polls, otherwise in the order of arrival.

    ``Need`` tells what an optional request gives way to.

    A slot is counted when it is granted and again when its request is written. No other slot is granted in between.
    Otherwise one request that first opens a connection could reach the server together with the next.
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
        self._optional: deque[asyncio.Future[BudgetSlot]] = deque()
        """At most one, of those ``IF_FREE``."""
        self._in_turn: set[asyncio.Future[BudgetSlot]] = set()
        """Optional requests among the routine ones."""
        self._unwritten: BudgetSlot | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._pause = (-math.inf, "")
        """The end of the latest pause, in seconds of the monotonic clock, and its cause."""

    def slot(self, *, first: bool = False, need: Need = Need.REQUIRED) -> AbstractAsyncContextManager[BudgetSlot]:
        """Wait for a slot and hold it; ``first`` goes before routine requests.

        Raises:
            NoRoomError: The request is optional, and the account was paused within ``CALM_SECONDS`` or, if it needs a
                free slot, others wait.
        """
        return _HeldSlot(self, first=first, need=need)

    def pause_for(self, seconds: float, cause: str = "") -> float:
        """Grant no slot for some seconds; slots that are already granted stay valid.

        Returns:
            float: the seconds until slots are granted again, after this pause and any longer earlier one.
        """
        now = self._clock.monotonic()
        until = now + seconds
        self._rate_limiter = self._rate_limiter.paused(until)
        self._pause = max(self._pause, (until, cause))
        self._refuse(self._optional)
        self._refuse(self._in_turn)
        return self._pause[0] - now

    def wait_of(self, account: str) -> BudgetWait | None:
        """Return the wait of the requests of this account; ``None`` where none waits."""
        calls = len(self._first) + len(self._routine)
        if not calls:
            return None
        now = self._clock.monotonic()
        paused_until, cause = self._pause
        return BudgetWait(
            account=account,
            calls=calls,
            seconds=self._rate_limiter.wait_seconds(now) + (calls - 1) * self._rate_limiter.spacing_seconds,
            cause=cause if paused_until > now else "",
        )

    def count(self, slot: BudgetSlot) -> None:
        """Count a slot's request, which is about to be written."""
        self._rate_limiter = self._rate_limiter.started(self._clock.monotonic())
        if self._on_request is not None:
            self._on_request()
        self._unblock(slot)

    async def wait(self, *, first: bool, need: Need = Need.REQUIRED) -> BudgetSlot:
        """Wait for a slot, which is to be released; see ``slot``."""
        if (need is Need.IF_FREE and not self._has_room) or (need is Need.IN_TURN and not self._is_calm):
            raise NoRoomError
        self._refuse(self._optional)
        queue = self._optional if need is Need.IF_FREE else self._first if first else self._routine
        waiter: asyncio.Future[BudgetSlot] = asyncio.get_running_loop().create_future()
        queue.append(waiter)
        if need is Need.IN_TURN:
            self._in_turn.add(waiter)
            waiter.add_done_callback(self._in_turn.discard)
        self._grant()
        try:
            return await waiter
        except NoRoomError:
            if waiter in queue:
                queue.remove(waiter)
            raise
        except asyncio.CancelledError:
            # The slot may be granted just before the cancellation; then it must be released.
            if waiter.done() and not waiter.cancelled():
                self.release(waiter.result())
            elif waiter in queue:
                queue.remove(waiter)
            raise

    @property
    def _has_room(self) -> bool:
        """Whether a request would wait for nothing but the spacing of the rate."""
        is_busy = self._first or self._routine or self._optional or self._unwritten
        return self._free > 0 and not is_busy and self._is_calm

    @property
    def _is_calm(self) -> bool:
        return self._pause[0] + CALM_SECONDS <= self._clock.monotonic()

    @staticmethod
    def _refuse(waiters: Iterable[asyncio.Future[BudgetSlot]]) -> None:
        for waiter in tuple(waiters):
            if not waiter.done():
                waiter.set_exception(NoRoomError())

    def _grant(self) -> None:
        while self._free and self._unwritten is None and (queue := self._first or self._routine or self._optional):
            now = self._clock.monotonic()
            if wait := self._rate_limiter.wait_seconds(now):
                self._grant_later(wait)
                return
            waiter = queue.popleft()
            if not waiter.done():
                self._start(waiter, now)

    def _start(self, waiter: asyncio.Future[BudgetSlot], now: float) -> None:
        slot = BudgetSlot(self)
        self._rate_limiter = self._rate_limiter.started(now)
        self._free -= 1
        self._unwritten = slot
        waiter.set_result(slot)

    def _grant_later(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(seconds, self._grant)

    def release(self, slot: BudgetSlot) -> None:
        """Free a slot."""
        self._free += 1
        self._unblock(slot)

    def _unblock(self, slot: BudgetSlot) -> None:
        if self._unwritten is slot:
            self._unwritten = None
        self._grant()


class _HeldSlot(AbstractAsyncContextManager[BudgetSlot]):
    """A slot during a call."""

    __slots__ = ("_budget", "_first", "_need", "_slot")

    def __init__(self, budget: Budget, *, first: bool, need: Need) -> None:
        self._budget = budget
        self._first = first
        self._need = need

    async def __aenter__(self) -> BudgetSlot:
        self._slot = await self._budget.wait(first=self._first, need=self._need)
        return self._slot

    async def __aexit__(self, *_error: object) -> None:
        self._budget.release(self._slot)
