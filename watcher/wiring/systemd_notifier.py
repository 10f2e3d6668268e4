"""Notifications to systemd: ready, watchdog, status line, reloading, stopping.

A task on the event loop sends ``WATCHDOG=1`` every five seconds, but only while every loop makes progress. A blocked
event loop sends nothing, and a stage that hangs stops the notifications although the other stages go on.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Final

import structlog

from watcher.systemd import READY, STOPPING, WATCHDOG, Systemd, extend_timeout, reloading, status

log = structlog.get_logger()

INTERVAL_SECONDS: Final = 5.0
"""A shorter watchdog time has a shorter interval, see ``WATCHDOG_SHARE``."""
WATCHDOG_SHARE: Final = 0.2
"""The share of the watchdog time that an interval takes at most."""
STATUS_EVERY: Final = 6
"""The status line is sent once in so many intervals."""
STATUS_SECONDS: Final = 5.0
"""The deadline for reading the status line."""
START_SECONDS: Final = 30.0
"""The start may take this much longer; renewed each interval, because first polls within a small budget take long."""

LateLoops = Callable[[], Mapping[str, float]]
StatusLine = Callable[[], Awaitable[str]]
Findings = Callable[[], Mapping[str, object]]


class SystemdNotifier:
    """Notifies systemd of the daemon's state; does nothing without systemd.

    Args:
        systemd: the service manager.
        first_round: set when every first poll has ended.
        late_loops: returns the loops without progress, with the seconds since their deadline.
        status_line: returns the state in one line.
        findings: returns the findings of the first round, for the log.
    """

    def __init__(
        self,
        systemd: Systemd,
        first_round: asyncio.Event,
        late_loops: LateLoops,
        status_line: StatusLine,
        findings: Findings = dict,
    ) -> None:
        self._systemd = systemd
        self._first_round = first_round
        self._late_loops = late_loops
        self._status_line = status_line
        self._findings = findings
        self._withheld = False
        self._ready = False
        self._status_readable = True

    async def run(self) -> None:
        """Notify until cancelled."""
        interval = 0
        self._systemd.notify(*self._systemd.shortened_watchdog)
        seconds = min(INTERVAL_SECONDS, self._systemd.watchdog_seconds * WATCHDOG_SHARE)
        while True:
            if not self._ready:
                self._notify_start()
            if self._every_loop_progresses():
                self._systemd.notify(WATCHDOG)
            if interval % STATUS_EVERY == 0:
                await self._notify_status()
            interval += 1
            await self._rest(seconds)

    @asynccontextmanager
    async def reloading(self) -> AsyncIterator[None]:
        """Notify that a reload begins and, after the block, that it has ended; during the start, notify neither."""
        if self._ready:
            self._systemd.notify(*reloading())
        try:
            yield
        finally:
            if self._ready:
                self._systemd.notify(READY)
                await self._notify_status()

    def stopping(self) -> None:
        """Notify that the daemon stops."""
        self._systemd.notify(STOPPING, status("stopping"))

    async def _rest(self, seconds: float) -> None:
        """Wait so long; at the start, only until the first round has ended."""
        if self._ready:
            await asyncio.sleep(seconds)
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._first_round.wait()

    def _notify_start(self) -> None:
        if not self._first_round.is_set():
            self._systemd.notify(extend_timeout(START_SECONDS))
            return
        self._ready = True
        self._systemd.notify(READY)
        log.info("watcher.ready")
        log.info("baseline.recorded", **self._findings())

    def _every_loop_progresses(self) -> bool:
        late = self._late_loops()
        if bool(late) is not self._withheld:
            self._withheld = bool(late)
            if late:
                log.error("watchdog.withheld", late_seconds=dict(late))
            else:
                log.info("watchdog.resumed")
        return not late

    async def _notify_status(self) -> None:
        if not self._systemd.enabled:
            return
        try:
            # A slow store must not delay the next WATCHDOG=1.
            async with asyncio.timeout(STATUS_SECONDS):
                self._systemd.notify(status(await self._status_line()))
        except Exception:
            # The line is for people only; the watcher goes on without it.
            if self._status_readable:
                log.exception("status.read_failed")
            self._status_readable = False
        else:
            self._status_readable = True
