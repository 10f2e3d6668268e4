"""What the service manager hears of the daemon: ready, alive, how it goes, reloading, stopping.

``WATCHDOG=1`` comes once a second from a task on the loop itself, and only while every stage turns: a loop that hangs
sends nothing, and one whose stage hangs is not covered for by the others.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

import structlog

from watcher.systemd import READY, STOPPING, WATCHDOG, Systemd, more_time, reloading, status

log = structlog.get_logger()

EVERY_SECONDS: Final = 1.0
STATUS_EVERY: Final = 5
"""In turns of the task."""
STATUS_SECONDS: Final = 5.0
START_SECONDS: Final = 30.0
"""Asked for again each second while the first looks are made: with a small budget they take their time."""

Late = Callable[[], Mapping[str, float]]
Words = Callable[[], Awaitable[str]]


class SystemdNotifier:
    """Tells systemd; without one it does nothing.

    Args:
        systemd: who is told.
        first_round: set when the first looks are done or refused.
        late: which stages should have turned again, and how many seconds ago.
        words: how it goes, in one line.
    """

    def __init__(self, systemd: Systemd, first_round: asyncio.Event, late: Late, words: Words) -> None:
        self._systemd = systemd
        self._first_round = first_round
        self._late = late
        self._words = words
        self._withheld = False
        self._ready = False

    async def run(self) -> None:
        """Tell for ever."""
        turn = 0
        self._systemd.notify(*self._systemd.sooner_watchdog)
        while True:
            if not self._ready:
                self._report_start()
            if self._turning():
                self._systemd.notify(WATCHDOG)
            if turn % STATUS_EVERY == 0:
                await self._report_status()
            turn += 1
            await asyncio.sleep(EVERY_SECONDS)

    async def reload_begins(self) -> None:
        """Tell that the configuration is being read; the start is no place for it."""
        if self._ready:
            self._systemd.notify(*reloading())

    async def reload_ended(self) -> None:
        """Tell that what holds now will hold."""
        if self._ready:
            self._systemd.notify(READY)
            await self._report_status()

    def stopping(self) -> None:
        """Tell that the end has begun."""
        self._systemd.notify(STOPPING, status("stopping"))

    def _report_start(self) -> None:
        if not self._first_round.is_set():
            self._systemd.notify(more_time(START_SECONDS))
            return
        self._ready = True
        self._systemd.notify(READY)
        log.info("watcher.ready")

    def _turning(self) -> bool:
        late = self._late()
        if bool(late) is not self._withheld:
            self._withheld = bool(late)
            if late:
                log.error("watchdog.withheld", late_seconds=dict(late))
            else:
                log.info("watchdog.resumed")
        return not late

    async def _report_status(self) -> None:
        if not self._systemd.listens:
            return
        try:
            # Whoever keeps the line waiting must not keep the watchdog waiting.
            async with asyncio.timeout(STATUS_SECONDS):
                self._systemd.notify(status(await self._words()))
        except Exception:
            # The line is for people; that it cannot be had now must not end the watching.
            log.exception("status.read_failed")
