"""Writes the state of polls that returned nothing new, a second after the first of them."""

from __future__ import annotations

import asyncio
from typing import Final

import structlog

from watcher.core.batch import Batch, NotSavedError
from watcher.core.observer import Observer
from watcher.pipeline.polling.cache import PollCache
from watcher.pipeline.polling.incidents.monitor import IncidentMonitor

log = structlog.get_logger()

FLUSH_SECONDS: Final = 1.0
"""A noted state waits this long for others, and is tried again so often while the store cannot be written."""
IDLE_SECONDS: Final = 60.0
"""Without a note, incidents whose subject is not watched any more are looked for so often."""


class Flusher:
    """Writes the noted state of the cache, and closes the incidents of subjects that are not watched any more."""

    def __init__(self, cache: PollCache, incident_monitor: IncidentMonitor, observer: Observer) -> None:
        self._cache = cache
        self._incident_monitor = incident_monitor
        self._observer = observer

    async def run(self) -> None:
        """Flush a second after each change of the cache, until cancelled."""
        while True:
            self._observer.progressed("recording", IDLE_SECONDS)
            await self._cache.changed.wait(IDLE_SECONDS)
            self._observer.progressed("recording", FLUSH_SECONDS)
            await asyncio.sleep(FLUSH_SECONDS)
            await self.flush()

    async def flush(self) -> None:
        """Write the noted state; a failure is logged, and the next flush tries again."""
        try:
            await self.close_orphans()
            await self._cache.flush()
        except NotSavedError as error:
            log.debug("poll.write_delayed", reason=str(error))
            self._cache.changed.tick()
        except Exception:
            # State that a stop loses only widens the bounds of the next change.
            log.exception("poll.flush_failed")
            self._cache.changed.tick()

    async def close_orphans(self) -> None:
        """Close the incidents of subjects that are not watched any more.

        Raises:
            NotSavedError: the store cannot be written for a while.
        """
        if orphans := self._incident_monitor.orphans():
            await self._cache.commit(Batch(incident_rows=orphans))
