"""The outbound heartbeat: somebody elsewhere is told that the watcher is well, and only while it is."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from enum import StrEnum

import structlog

from watcher.core.health.readiness import NotReady, NotReadyReason

log = structlog.get_logger()

Ping = Callable[[], Awaitable[str | None]]
"""Makes one call; returns what went wrong, without the address, or ``None``."""


class Outcome(StrEnum):
    """What became of one heartbeat; the word stands in the metric."""

    SENT = "sent"
    FAILED = "failed"
    WITHHELD = "withheld"


class Heartbeat:
    """Pings for as long as there is no reason against it; each change is said once."""

    def __init__(
        self,
        ping: Ping,
        reasons: Callable[[], Awaitable[Sequence[NotReadyReason]]],
        every: timedelta,
        note: Callable[[str], None],
    ) -> None:
        self._ping = ping
        self._reasons = reasons
        self._every = every
        self._note = note
        self._withheld_for: frozenset[NotReady] = frozenset()
        self._fails = False

    async def run(self) -> None:
        """Ping for ever."""
        while True:
            try:
                self._note(await self.beat())
            except Exception:
                log.exception("heartbeat.crashed")
            await asyncio.sleep(self._every.total_seconds())

    async def beat(self) -> Outcome:
        """Ping once, or say why not."""
        # A first round may take long, and nothing is wrong meanwhile.
        reasons = [reason for reason in await self._reasons() if reason.code is not NotReady.FIRST_ROUND]
        self._say_withheld(reasons)
        if reasons:
            return Outcome.WITHHELD
        problem = await self._ping()
        self._say_failed(problem)
        return Outcome.SENT if problem is None else Outcome.FAILED

    def _say_withheld(self, reasons: Sequence[NotReadyReason]) -> None:
        words = frozenset(reason.code for reason in reasons)
        if words and words != self._withheld_for:
            details = {reason.code.value: reason.detail for reason in reasons}
            log.error("heartbeat.withheld", reasons=details, remedy="see docs/operations.md, or run doctor")
        elif self._withheld_for and not words:
            log.info("heartbeat.resumed")
        self._withheld_for = words

    def _say_failed(self, problem: str | None) -> None:
        if problem is not None and not self._fails:
            log.warning("heartbeat.failed", problem=problem, remedy="look at [heartbeat] url; it is tried again")
        elif problem is None and self._fails:
            log.info("heartbeat.recovered")
        self._fails = problem is not None
