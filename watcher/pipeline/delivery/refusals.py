"""Count the refusals in a row of each delivery, since one odd answer does not prove that a receiver is failing."""

from __future__ import annotations

from typing import Final

from watcher.core.delivery.model import DeliveryRequest, Outcome, RefusalScope, Refused

DELIVERIES_MAX: Final = 1_000
"""Deliveries that are remembered; the oldest is forgotten first."""


class RefusalCounts:
    """The refusals in a row of the deliveries of one receiver, as far as this process made the attempts."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}

    def count(self, request: DeliveryRequest, outcome: Outcome) -> int:
        """Return the refusals in a row of a delivery, with this outcome.

        The first attempt of this process counts all earlier ones, so that runs of ``once`` find a failing receiver.
        """
        earlier = 0 if request.attempt == 1 else self._counts.pop(request.delivery_id, request.attempt - 1)
        refused = isinstance(outcome, Refused) and outcome.scope is RefusalScope.RECEIVER
        counted = earlier + 1 if refused else 0
        self._counts[request.delivery_id] = counted
        if len(self._counts) > DELIVERIES_MAX:
            del self._counts[next(iter(self._counts))]
        return counted
