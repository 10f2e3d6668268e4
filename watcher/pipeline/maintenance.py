"""Hourly maintenance: history pruning, orphaned deliveries, the daily backup."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import structlog

from watcher.core.delivery.reason import RECEIVER_REMOVED
from watcher.core.messages.reasons import reason_text
from watcher.core.messages.receiver import removed_advice
from watcher.pipeline.clock_trust import ClockTrust
from watcher.pipeline.dead_letters import announce_dead_letters, note_removed
from watcher.pipeline.delivery_ports import OrphanDeliveries
from watcher.pipeline.expiry import expire_orphans
from watcher.pipeline.ports import Clock, DailyBackup, Retention
from watcher.pipeline.wakeup import Wake

log = structlog.get_logger()

EVERY_SECONDS: Final = 3600.0
RUNS_KEPT: Final = 2
"""Runs are kept so many times as long as events: later runs learn from them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How long history and deliveries are kept."""

    keep_history: timedelta
    longest_wait: timedelta
    """The longest wait of a delivery for its next attempt."""
    give_up_after: timedelta
    receivers: frozenset[str]
    """The configured receivers; no worker sends to others."""


class Maintenance:
    """Maintains rows that no other stage touches: once an hour, and when the wall clock has stepped."""

    def __init__(  # noqa: PLR0913 - wired once
        self,
        retention: Retention,
        orphans: OrphanDeliveries,
        backups: DailyBackup,
        limits: Limits,
        clock: Clock,
        *,
        clock_trust: ClockTrust,
        on_events: Callable[[], None] = lambda: None,
        release_pages: Callable[[], Awaitable[int]] | None = None,
    ) -> None:
        self._on_events = on_events
        self._release_pages = release_pages
        """Gives a batch of the store's free pages back to the disk, and returns their number; 0 at the end."""
        self._retention = retention
        self._orphans = orphans
        self._backups = backups
        self._limits = limits
        self._clock = clock
        self._clock_trust = clock_trust
        self.wake = Wake()

    def apply_config(self, limits: Limits) -> None:
        """Use other limits from now on."""
        self._limits = limits
        self.wake.tick()

    def clock_stepped(self) -> None:
        """Correct at once the waits that a step of the wall clock has made too long."""
        self._clock_trust.note_step()
        self.wake.tick()

    async def run(self) -> None:
        """Run the maintenance forever."""
        while True:
            try:
                await self.once()
            except Exception:
                log.exception("maintenance.failed")
            await self.wake.wait(EVERY_SECONDS)

    async def once(self) -> None:
        """Run the maintenance once."""
        await self._orphans.cap_waits(self._clock.utc_now(), self._limits.longest_wait)
        # A removed receiver has no worker that takes back an expired lease.
        await self._orphans.reclaim((), self._clock.utc_now())
        await self._note_removed()
        if self._clock_trust.trusted:
            await self._expire_orphans()
            await self._prune()
        await self.back_up()

    async def back_up(self) -> None:
        """Make the daily backup; a failure is logged here, and ``status`` shows it."""
        now = self._clock.utc_now()
        try:
            made = await self._backups.make_due(now)
            if self._clock_trust.trusted:
                await self._backups.prune(now)
        except Exception as error:  # noqa: BLE001 - polling and delivery continue after any failure
            log.warning("backup.failed", problem=str(error))
            return
        if made is not None:
            log.info("backup.made", file=made)

    async def _note_removed(self) -> None:
        removed = await note_removed(
            self._orphans, self._limits.receivers, self._limits.give_up_after, self._clock.utc_now()
        )
        if removed:
            log.error("receiver.removed", receivers=removed, remedy=removed_advice())
            self._on_events()

    async def _expire_orphans(self) -> None:
        now = self._clock.utc_now()
        before, ended = now - self._limits.give_up_after, list[str]()
        while batch := await expire_orphans(self._orphans, self._limits.receivers, before, now):
            ended += batch
        await announce_dead_letters(self._orphans, None, now)
        if ended:
            log.error("delivery.stopped", state="dead", reason=reason_text(RECEIVER_REMOVED), deliveries=ended)

    async def _prune(self) -> None:
        before = self._clock.utc_now() - self._limits.keep_history
        pruned = 0
        while batch := await self._retention.prune(before):
            pruned += batch
        runs = await self._prune_runs(self._clock.utc_now() - self._limits.keep_history * RUNS_KEPT)
        if pruned or runs:
            log.info("history.pruned", events=pruned, runs=runs, before=before)
        await self._shrink()

    async def _prune_runs(self, before: datetime) -> int:
        pruned = 0
        while batch := await self._retention.prune_runs(before):
            pruned += batch
        return pruned

    async def _shrink(self) -> None:
        pages = 0
        while self._release_pages is not None and (batch := await self._release_pages()):
            pages += batch
        if pages:
            log.info("store.shrunk", pages=pages)
