"""Writing once a second what the looks noted; what cannot be written now waits for the next time."""

from __future__ import annotations

import asyncio
from typing import Final

import structlog

from watcher.core.batch import Batch, NotSavedError
from watcher.core.observer import Observer
from watcher.pipeline.polling.cache import PollCache
from watcher.pipeline.polling.incidents import IncidentMonitor

log = structlog.get_logger()

FLUSH_SECONDS: Final = 1.0


class Flusher:
    """Brings the memory to the store, and closes there the incidents of what is no longer watched."""

    def __init__(self, cache: PollCache, incident_monitor: IncidentMonitor, observer: Observer) -> None:
        self._cache = cache
        self._incident_monitor = incident_monitor
        self._observer = observer

    async def for_ever(self) -> None:
        """Write once a second."""
        while True:
            self._observer.progressed("recording", FLUSH_SECONDS)
            await asyncio.sleep(FLUSH_SECONDS)
            await self.flush()

    async def flush(self) -> None:
        """Write what there is; a failure is said in the log."""
        try:
            await self.close_orphans()
            await self._cache.flush()
        except NotSavedError as error:
            log.debug("poll.write_delayed", reason=str(error))
        except Exception:
            # The next one writes it; what is lost at a stop only widens the bounds of the next change.
            log.exception("poll.flush_failed")

    async def close_orphans(self) -> None:
        """Close the incidents of what is no longer watched.

        Raises:
            NotKeptError: the store cannot be written for a while.
        """
        if orphans := self._incident_monitor.orphans():
            await self._cache.commit(Batch(incident_rows=orphans))
