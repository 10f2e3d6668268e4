"""Check whether the store can be written."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Final

from sqlalchemy.exc import DBAPIError

from watcher.core.timestamps import to_text
from watcher.store import meta_keys
from watcher.store.epoch import write_fact
from watcher.store.sql.write_faults import WriteFault
from watcher.store.sqlite.database import Database
from watcher.store.sqlite.disk_reserve import FLOOR_BYTES

PATIENCE_SECONDS: Final = 10.0
"""A failed write may succeed at the next try; after this long without a success, the store counts as failing."""


class WriteHealth:
    """The write health of one store."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._reserve = database.reserve
        self._failing_since: float | None = None

    async def until_write(self, at_most_seconds: float) -> bool:
        """Wait for a write, at most this long, and return whether there is one; do not wait while one fails."""
        if self._database.failing is not None:
            return True
        try:
            async with asyncio.timeout(at_most_seconds):
                return await self._database.writing.wait()
        except TimeoutError:
            return False

    async def fault(self, now: float) -> str | None:
        """Return the cause that keeps the store from being written, if any; ``now`` in monotonic seconds."""
        # In the loop: two system calls cost less than a thread takes to wake.
        if not self._database.is_in_place():
            return WriteFault.REMOVED.value
        if await self.free_bytes() < FLOOR_BYTES:
            return WriteFault.FULL.value
        fault = self._database.failing
        if fault is None:
            self._failing_since = None
            return None
        self._failing_since = since = now if self._failing_since is None else self._failing_since
        return fault.value if fault is WriteFault.FULL or now - since >= PATIENCE_SECONDS else None

    async def free_bytes(self) -> int:
        """Return the free space beside the reserve, in bytes; 0 where the folder is gone."""
        try:
            return self._reserve.free_bytes()
        except OSError:
            return 0

    async def recovered(self, now: datetime) -> bool:
        """Say whether there is space again, for the reserve too, and a write succeeds."""
        if not self._database.is_in_place():
            return False
        if not await asyncio.to_thread(self._reserve.hold) or await self.free_bytes() < FLOOR_BYTES:
            return False
        try:
            await self._database.write(lambda connection: write_fact(connection, meta_keys.PROBED_AT, to_text(now)))
        except DBAPIError:
            return False
        return True
