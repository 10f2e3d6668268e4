"""Count the refusals in a row of each delivery, since one odd answer does not prove that a receiver is failing."""

from __future__ import annotations

from typing import Final

from watcher.core.delivery.model import LeasedDelivery, Outcome, RefusalScope, Refused
from watcher.core.delivery.reason import is_refusal

DELIVERIES_MAX: Final = 1_000
"""Refused deliveries that are remembered; the oldest is forgotten first."""


class RefusalCounts:
    """The refusals in a row of the deliveries of one receiver, as far as this process made the attempts."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        """Only of deliveries whose last attempt was refused: no other one needs a place."""

    def count(self, leased: LeasedDelivery, outcome: Outcome) -> int:
        """Return the refusals in a row of a delivery, with this outcome."""
        request = leased.request
        known = self._counts.pop(request.delivery_id, None)
        if not (isinstance(outcome, Refused) and outcome.scope is RefusalScope.RECEIVER):
            return 0
        # An operator's retry begins at the first attempt again.
        earlier = _stored(leased) if known is None or request.attempt == 1 else known
        self._counts[request.delivery_id] = counted = earlier + 1
        if len(self._counts) > DELIVERIES_MAX:
            del self._counts[next(iter(self._counts))]
        return counted


def _stored(leased: LeasedDelivery) -> int:
    """Return the earlier refusals that the store shows: all attempts or none, by the reason of the last one.

    So runs of ``once`` find a failing receiver, each of which makes one attempt.
    """
    was_refused = is_refusal(leased.last_reason) and not leased.in_doubt
    return leased.request.attempt - 1 if was_refused else 0
