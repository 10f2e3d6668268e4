"""Writing once a second what the looks noted; what cannot be written now waits for the next time."""

from __future__ import annotations

import asyncio
from typing import Final

import structlog

from watcher.core.batch import Batch, NotKeptError
from watcher.pipeline.polling.cache import Memory
from watcher.pipeline.polling.incidents import Lookout
from watcher.pipeline.ports import Observer

log = structlog.get_logger()

FLUSH_SECONDS: Final = 1.0


class Flusher:
    """Brings the memory to the store, and closes there the incidents of what is no longer watched."""

    def __init__(self, memory: Memory, lookout: Lookout, observer: Observer) -> None:
        self._memory = memory
        self._lookout = lookout
        self._observer = observer

    async def for_ever(self) -> None:
        """Write once a second."""
        while True:
            self._observer.turned("recording", FLUSH_SECONDS)
            await asyncio.sleep(FLUSH_SECONDS)
            await self.flush()

    async def flush(self) -> None:
        """Write what there is; a failure is said in the log."""
        try:
            await self.close_orphans()
            await self._memory.flush()
        except NotKeptError as error:
            log.debug("look.waits_for_the_store", reason=str(error))
        except Exception:
            # The next one writes it; what is lost at a stop only widens the bounds of the next change.
            log.exception("look.flush_failed")

    async def close_orphans(self) -> None:
        """Close the incidents of what is no longer watched.

        Raises:
            NotKeptError: the store cannot be written for a while.
        """
        if orphans := self._lookout.orphans():
            await self._memory.commit(Batch(troubles=orphans))
