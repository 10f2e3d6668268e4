"""The outbound heartbeat: regular calls to an external service while the watcher is ready."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from enum import StrEnum
from typing import Final

import structlog

from watcher.core.health.readiness import NotReady, NotReadyReason

log = structlog.get_logger()

NOT_WITHHELD_FOR: Final = frozenset({NotReady.FIRST_ROUND, NotReady.RECEIVER_FAILING})
"""The first round may take long without any problem; a failing receiver is announced through another.

Where no other receiver announces it, that is a reason of its own.
"""

Ping = Callable[[], Awaitable[str | None]]
"""Makes one call; returns its problem without the address, or ``None``."""


class HeartbeatOutcome(StrEnum):
    """The outcome of one heartbeat, with its label in the metric."""

    SENT = "sent"
    FAILED = "failed"
    WITHHELD = "withheld"


class Heartbeat:
    """Calls the external service while the watcher is ready; each change is logged once."""

    def __init__(
        self,
        ping: Ping,
        reasons: Callable[[], Awaitable[Sequence[NotReadyReason]]],
        every: timedelta,
        observe: Callable[[str], None],
    ) -> None:
        self._ping = ping
        self._reasons = reasons
        self._every = every
        self._observe = observe
        self._withheld_for: frozenset[NotReady] = frozenset()
        self._is_failing = False

    async def run(self) -> None:
        """Send heartbeats until cancelled."""
        while True:
            try:
                self._observe(await self.beat())
            except Exception:
                log.exception("heartbeat.crashed")
            await asyncio.sleep(self._every.total_seconds())

    async def beat(self) -> HeartbeatOutcome:
        """Send one heartbeat, or log the reasons for withholding it."""
        reasons = [reason for reason in await self._reasons() if reason.code not in NOT_WITHHELD_FOR]
        self._log_withheld(reasons)
        if reasons:
            return HeartbeatOutcome.WITHHELD
        problem = await self._ping()
        self._log_failure(problem)
        return HeartbeatOutcome.SENT if problem is None else HeartbeatOutcome.FAILED

    def _log_withheld(self, reasons: Sequence[NotReadyReason]) -> None:
        current = frozenset(reason.code for reason in reasons)
        if current and current != self._withheld_for:
            details = {reason.code.value: reason.detail for reason in reasons}
            log.error("heartbeat.withheld", reasons=details, remedy="see docs/runbook.md, or run doctor")
        elif self._withheld_for and not current:
            log.info("heartbeat.resumed")
        self._withheld_for = current

    def _log_failure(self, problem: str | None) -> None:
        if problem is not None and not self._is_failing:
            log.warning("heartbeat.failed", problem=problem, remedy="check [heartbeat] url; the watcher keeps trying")
        elif problem is None and self._is_failing:
            log.info("heartbeat.recovered")
        self._is_failing = problem is not None
