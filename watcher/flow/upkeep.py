"""Upkeep: what nobody waits for, done beside the river."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Final

import structlog

from watcher.flow.ports import Clock, Retention

log = structlog.get_logger()

EVERY_SECONDS: Final = 3600.0


class Upkeep:
    """Forgets history that is older than the configuration keeps it."""

    def __init__(self, retention: Retention, keep_history: timedelta, clock: Clock) -> None:
        self._retention = retention
        self._keep_history = keep_history
        self._clock = clock

    async def run(self) -> None:
        """Do the upkeep once an hour, for ever."""
        while True:
            try:
                await self.forget()
            except Exception:
                log.exception("upkeep.failed")
            await asyncio.sleep(EVERY_SECONDS)

    async def forget(self) -> int:
        """Forget what is too old; return how many events that were."""
        before = self._clock.utc_now() - self._keep_history
        forgotten = 0
        while batch := await self._retention.forget(before):
            forgotten += batch
        if forgotten:
            log.info("history.forgotten", events=forgotten, before=before)
        return forgotten
