"""Upkeep: what nobody waits for, done beside the river."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import structlog

from watcher.core.delivery.facts import RECEIVER_REMOVED
from watcher.core.messages.receiver import REMOVED_REMEDY
from watcher.pipeline.clock_trust import ClockTrust
from watcher.pipeline.ports import Clock, DailyBackup, OrphanDeliveries, Retention
from watcher.pipeline.wakeup import Wake

log = structlog.get_logger()

EVERY_SECONDS: Final = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How long what is kept."""

    keep_history: timedelta
    longest_wait: timedelta
    """No delivery waits longer than this for its next attempt."""
    give_up_after: timedelta
    receivers: frozenset[str]
    """Those that are configured; what goes to others has nobody to send it."""


class Maintenance:
    """Looks after rows that no stage would touch again: once an hour, and when the wall clock has stepped."""

    def __init__(  # noqa: PLR0913 - wired once, in app.py
        self,
        retention: Retention,
        orphans: OrphanDeliveries,
        backups: DailyBackup,
        limits: Limits,
        clock: Clock,
        *,
        clock_trust: ClockTrust,
        on_events: Callable[[], None] = lambda: None,
    ) -> None:
        self._on_events = on_events
        self._retention = retention
        self._orphans = orphans
        self._backups = backups
        self._limits = limits
        self._clock = clock
        self._clock_trust = clock_trust
        self.wake = Wake()

    def apply_config(self, limits: Limits) -> None:
        """Keep other limits from now on."""
        self._limits = limits
        self.wake.tick()

    def clock_stepped(self) -> None:
        """Mend at once what a step of the wall clock has put out of place."""
        self._clock_trust.note_step()
        self.wake.tick()

    async def run(self) -> None:
        """Do the upkeep for ever."""
        while True:
            try:
                await self.once()
            except Exception:
                log.exception("maintenance.failed")
            await self.wake.wait(EVERY_SECONDS)

    async def once(self) -> None:
        """Do everything there is to do."""
        await self._orphans.cap_waits(self._clock.utc_now(), self._limits.longest_wait)
        await self._note_removed()
        if self._clock_trust.trusted:
            await self._expire_orphans()
            await self._prune()
        await self.back_up()

    async def back_up(self) -> None:
        """Make the day's backup; one that cannot be made is a warning here and a problem of ``status``."""
        now = self._clock.utc_now()
        try:
            made = await self._backups.make_due(now)
            if self._clock_trust.trusted:
                await self._backups.prune(now)
        except Exception as error:  # noqa: BLE001 - whatever it is, the watching goes on
            log.warning("backup.failed", problem=str(error))
            return
        if made is not None:
            log.info("backup.made", file=made)

    async def _note_removed(self) -> None:
        removed = await self._orphans.note_removed(self._limits.receivers, self._clock.utc_now())
        if removed:
            log.error("receiver.removed", receivers=removed, remedy=REMOVED_REMEDY)
            self._on_events()

    async def _expire_orphans(self) -> None:
        now = self._clock.utc_now()
        before, ended = now - self._limits.give_up_after, list[str]()
        while batch := await self._orphans.expire_orphans(self._limits.receivers, before, now):
            ended += batch
        await self._orphans.announce(None, now)
        if ended:
            log.error("delivery.stopped", state="dead", reason=RECEIVER_REMOVED, deliveries=ended)

    async def _prune(self) -> None:
        before = self._clock.utc_now() - self._limits.keep_history
        forgotten = 0
        while batch := await self._retention.prune(before):
            forgotten += batch
        if forgotten:
            log.info("history.pruned", events=forgotten, before=before)
