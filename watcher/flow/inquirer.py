"""Looking up what is in doubt: one question to the receiver for all of it, a verdict for each."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from datetime import datetime

import structlog

from watcher.core.delivery import Attempt, Claimed, Policy, Repeats, Verdict
from watcher.core.inquiry import Finding, Inquiry, NotFound, Unanswered, after_look_up, first_look_at
from watcher.flow.ports import Clock, LooksUp

log = structlog.get_logger()


class Inquirer:
    """Asks one receiver; what it cannot be asked now, it is asked later, with growing waits."""

    def __init__(self, receiver: LooksUp, clock: Clock) -> None:
        self._receiver = receiver
        self._clock = clock
        self._unanswered = 0

    async def inquire(self, batch: Sequence[Claimed], policy: Policy) -> list[tuple[Claimed, Verdict, Finding]]:
        """Look everything up at once as soon as the time has come for one of it."""
        due = {claimed.parcel.delivery_id: self._due_at(claimed, policy) for claimed in batch}
        found = await self._look_up(batch, due)
        unit = random.random()  # noqa: S311 - it spreads waits
        now = self._clock.utc_now()
        results: list[tuple[Claimed, Verdict, Finding]] = []
        for claimed in batch:
            identity = claimed.parcel.delivery_id
            finding = found.get(identity, NotFound())
            inquiry = self._inquiry(claimed, due[identity])
            results.append((claimed, after_look_up(finding, inquiry, policy, now, unit), finding))
        return results

    def _due_at(self, claimed: Claimed, policy: Policy) -> datetime:
        began_at = claimed.parcel.attempted_at
        if claimed.parcel.lookups or began_at is None:
            return claimed.due_at
        return max(claimed.due_at, first_look_at(began_at, policy, self._clock.utc_now()))

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
