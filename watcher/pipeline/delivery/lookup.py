"""Look up uncertain deliveries: one request to the receiver for all of them, a verdict for each."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

import structlog

from watcher.core.delivery.lookup import (
    Lookup,
    LookupFailed,
    LookupResult,
    MessageNotFound,
    after_lookup,
    first_lookup_at,
)
from watcher.core.delivery.model import Attempt, Dedup, LeasedDelivery, Policy, Verdict
from watcher.core.delivery.reason import INTERNAL_FAULT
from watcher.core.delivery.receiver import SupportsLookup
from watcher.pipeline.ports import Clock

log = structlog.get_logger()

LOOKUP_INTERVAL: Final = timedelta(seconds=1.5)
"""The least time between two lookups, each of which serves every uncertain delivery; Slack allows 50 a minute."""


class LookupRunner:
    """Looks deliveries up at one receiver; when the receiver does not answer, it waits longer each time."""

    def __init__(self, receiver: SupportsLookup, clock: Clock) -> None:
        self._receiver = receiver
        self._clock = clock
        self._unanswered = 0
        self._free_at = clock.monotonic()

    async def look_up_uncertain(
        self, batch: Sequence[LeasedDelivery], policy: Policy
    ) -> list[tuple[LeasedDelivery, Verdict, LookupResult]]:
        """Look all of them up at once as soon as one is due; return each with its verdict and result."""
        due = {leased.request.delivery_id: self._due_at(leased, policy) for leased in batch}
        found = await self._look_up(batch, due)
        unit = random.random()  # noqa: S311 - it spreads waits
        now = self._clock.utc_now()
        results: list[tuple[LeasedDelivery, Verdict, LookupResult]] = []
        if found:
            self._wait(min(LOOKUP_INTERVAL, policy.first_retry))
        for leased in batch:
            identity = leased.request.delivery_id
            result = found.get(identity, MessageNotFound())
            lookup = self._lookup(leased, due[identity])
            decided = after_lookup(result, lookup, policy, now, unit)
            if isinstance(result, LookupFailed) and decided.next_at is not None:
                # The wait holds for the other deliveries, too.
                self._wait(decided.next_at - now)
            results.append((leased, decided, result))
        return results

    def _wait(self, span: timedelta) -> None:
        self._free_at = max(self._free_at, self._clock.monotonic() + span.total_seconds())

    def _due_at(self, leased: LeasedDelivery, policy: Policy) -> datetime:
        now = self._clock.utc_now()
        due_at = leased.due_at
        began_at = leased.request.attempted_at
        if not leased.request.lookups and began_at is not None:
            due_at = max(due_at, first_lookup_at(began_at, policy, now))
        wait = self._free_at - self._clock.monotonic()
        return max(due_at, now + timedelta(seconds=wait)) if wait > 0 else due_at

    async def _look_up(
        self, batch: Sequence[LeasedDelivery], due: Mapping[str, datetime]
    ) -> Mapping[str, LookupResult]:
        if min(due.values()) > self._clock.utc_now():
            return {}
        try:
            found = await self._receiver.look_up([leased.request for leased in batch])
        except Exception:
            log.exception("delivery.lookup_crashed", deliveries=list(due))
            found = {identity: LookupFailed(reason=INTERNAL_FAULT) for identity in due}
        failed = any(isinstance(result, LookupFailed) for result in found.values())
        self._unanswered = self._unanswered + 1 if failed else 0
        return found

    def _lookup(self, leased: LeasedDelivery, due_at: datetime) -> Lookup:
        return Lookup(
            attempt=Attempt(number=leased.request.attempt, allowed_at=leased.allowed_at, dedup=Dedup.BY_LOOKUP),
            attempted_at=leased.request.attempted_at or leased.created_at,
            due_at=due_at,
            lookups=leased.request.lookups,
            unanswered=self._unanswered,
        )
