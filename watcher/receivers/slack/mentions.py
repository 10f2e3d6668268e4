"""Mentions that Slack refuses: a message an hour tries them again, the others go without them at once."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from watcher.clock import Clock
from watcher.core.delivery.model import Delivered, DeliveryRequest, Outcome
from watcher.receivers.slack.blocks import MENTION_STEP, has_mention

RETRY_SECONDS: Final = 3600.0


class RefusedMentions:
    """Remembers which mentions a channel refuses, while the process runs."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._until: dict[tuple[str, ...], float] = {}
        """By mentions, the end of the time without them, in monotonic seconds."""

    def without_refused(self, request: DeliveryRequest) -> DeliveryRequest:
        """Return the request, without its mentions where Slack has refused them lately."""
        until = self._until.get(request.mentions)
        if until is None or not has_mention(request.degrade) or self._clock.monotonic() >= until:
            return request
        return replace(request, degrade=request.degrade + MENTION_STEP)

    def note(self, request: DeliveryRequest, outcome: Outcome) -> None:
        """Note the outcome of a delivery: one that arrives after its mention was refused shows that this was the cause.

        ``request`` is the delivery as it was leased, not as ``without_refused`` returned it.
        """
        if request.mentions and not has_mention(request.degrade) and isinstance(outcome, Delivered):
            self._until[request.mentions] = self._clock.monotonic() + RETRY_SECONDS
