"""Waiting in line: what an account answered is kept in the order in which it came, as soon as it can be kept."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

import structlog

from watcher.core.batch import NotSavedError

log = structlog.get_logger()

AGAIN_SECONDS: Final = 1.0

Saved = TypeVar("Saved")


class WriteQueue:
    """One line for each account.

    While the store cannot be written, the first in a line tries again and the others wait: an answer that was let go
    might have been the second of the only two that showed a status.
    """

    def __init__(self) -> None:
        self._heads: dict[str, asyncio.Lock] = {}
        self.patient = True
        """Whether to try again; a command that looks once does not."""

    async def keep(self, account: str, keep: Callable[[], Awaitable[Saved]]) -> Saved:
        """Keep an answer in its turn.

        Raises:
            NotKeptError: the store cannot be written, and nobody waits for it.
        """
        async with self._heads.setdefault(account, asyncio.Lock()):
            while True:
                try:
                    return await keep()
                except NotSavedError as error:
                    if not self.patient:
                        raise
                    log.debug("poll.write_delayed", account=account, reason=str(error))
                await asyncio.sleep(AGAIN_SECONDS)
