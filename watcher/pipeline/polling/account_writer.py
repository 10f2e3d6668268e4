"""The order of the results of an account, also while the store cannot be written."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final, TypeVar

import structlog

from watcher.core.batch import NotSavedError

log = structlog.get_logger()

RETRY_SECONDS: Final = 1.0

T = TypeVar("T")


class AccountWriter:
    """Runs the decisions about an account one after the other, in the order of its results.

    Order matters, since a decision depends on the results before it. Two equal statuses in a row confirm a change,
    and failures in a row open an incident. A lost or overtaken result would change both. So while the store cannot
    be written, the first decision is retried and the later ones wait behind it.
    """

    def __init__(self) -> None:
        self._turns: dict[str, asyncio.Lock] = {}
        """One lock per account. It is held across retries, so that no later result overtakes."""
        self._retries = True
        self._deciding = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self._resumed = asyncio.Event()
        self._resumed.set()

    def fail_fast(self) -> None:
        """Raise from now on while the store cannot be written, instead of retrying."""
        self._retries = False

    async def run(self, account: str, decide: Callable[[], Awaitable[T]]) -> T:
        """Call ``decide`` in its turn, and again each second while the store cannot be written.

        Args:
            account: its name.
            decide: decides and writes; it must change nothing in memory before the write has succeeded.

        Raises:
            NotSavedError: the store cannot be written, and ``fail_fast`` was called.
        """
        async with self._turns.setdefault(account, asyncio.Lock()):
            while True:
                try:
                    return await self._attempt(decide)
                except NotSavedError as error:
                    if not self._retries:
                        raise
                    log.debug("poll.write_delayed", account=account, reason=str(error))
                await asyncio.sleep(RETRY_SECONDS)

    @asynccontextmanager
    async def paused(self) -> AsyncIterator[None]:
        """Run no decision during the block.

        It waits for decisions under way, but not for an account whose turn is between two retries: a reload must not
        wait until the store recovers. Only one caller at a time may pause.
        """
        # Closed before the wait: else new decisions could keep the writer busy for ever.
        self._resumed.clear()
        try:
            await self._idle.wait()
            yield
        finally:
            self._resumed.set()

    async def _attempt(self, decide: Callable[[], Awaitable[T]]) -> T:
        # Another pause may begin between the end of one and this task's next step, hence the loop.
        while not self._resumed.is_set():
            await self._resumed.wait()
        self._deciding += 1
        self._idle.clear()
        try:
            return await decide()
        finally:
            self._deciding -= 1
            if self._deciding == 0:
                self._idle.set()
