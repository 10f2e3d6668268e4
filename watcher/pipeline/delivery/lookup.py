"""Looking up what is in doubt: one question to the receiver for all of it, a verdict for each."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

import structlog

from watcher.core.delivery.lookup import Finding, Inquiry, NotFound, Unanswered, after_look_up, first_look_at
from watcher.core.delivery.model import Attempt, Claimed, Policy, Repeats, Verdict
from watcher.pipeline.ports import Clock, LooksUp

log = structlog.get_logger()


REST: Final = timedelta(seconds=1.5)
"""Looks are at least so far apart, as each serves everything in doubt; Slack takes 50 a minute."""


class Inquirer:
    """Asks one receiver; what it cannot be asked now, it is asked later, with growing waits."""

    def __init__(self, receiver: LooksUp, clock: Clock) -> None:
        self._receiver = receiver
        self._clock = clock
        self._unanswered = 0
        self._free_at = clock.monotonic()

    async def inquire(self, batch: Sequence[Claimed], policy: Policy) -> list[tuple[Claimed, Verdict, Finding]]:
        """Look everything up at once as soon as the time has come for one of it."""
        due = {claimed.parcel.delivery_id: self._due_at(claimed, policy) for claimed in batch}
        found = await self._look_up(batch, due)
        unit = random.random()  # noqa: S311 - it spreads waits
        now = self._clock.utc_now()
        results: list[tuple[Claimed, Verdict, Finding]] = []
        if found:
            self._rest(min(REST, policy.first_retry))
        for claimed in batch:
            identity = claimed.parcel.delivery_id
            finding = found.get(identity, NotFound())
            inquiry = self._inquiry(claimed, due[identity])
            decided = after_look_up(finding, inquiry, policy, now, unit)
            if isinstance(finding, Unanswered) and decided.next_at is not None:
                # Neither for the others that are due meanwhile.
                self._rest(decided.next_at - now)
            results.append((claimed, decided, finding))
        return results

    def _rest(self, span: timedelta) -> None:
        self._free_at = max(self._free_at, self._clock.monotonic() + span.total_seconds())

    def _due_at(self, claimed: Claimed, policy: Policy) -> datetime:
        now = self._clock.utc_now()
        due_at = claimed.due_at
        began_at = claimed.parcel.attempted_at
        if not claimed.parcel.lookups and began_at is not None:
            due_at = max(due_at, first_look_at(began_at, policy, now))
        rest = self._free_at - self._clock.monotonic()
        return max(due_at, now + timedelta(seconds=rest)) if rest > 0 else due_at

    async def _look_up(self, batch: Sequence[Claimed], due: Mapping[str, datetime]) -> Mapping[str, Finding]:
        if min(due.values()) > self._clock.utc_now():
            return {}
        try:
            found = await self._receiver.look_up([claimed.parcel for claimed in batch])
        except Exception:
            log.exception("delivery.lookup_fault", deliveries=list(due))
            found = {identity: Unanswered(reason="internal-fault") for identity in due}
        failed = any(isinstance(finding, Unanswered) for finding in found.values())
        self._unanswered = self._unanswered + 1 if failed else 0
        return found

    def _inquiry(self, claimed: Claimed, due_at: datetime) -> Inquiry:
        return Inquiry(
            attempt=Attempt(number=claimed.parcel.attempt, created_at=claimed.created_at, repeats=Repeats.LOOKED_UP),
            attempted_at=claimed.parcel.attempted_at or claimed.created_at,
            due_at=due_at,
            lookups=claimed.parcel.lookups,
            unanswered=self._unanswered,
        )
