"""A Slack incoming webhook: posts, and cannot be asked whether a post arrived.

Hence a message that is sent again after an unknown outcome says that it may be a repeat. How the answers are read
stands in ``slack_errors``, how a message looks in ``slack_blocks``.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from types import MappingProxyType
from typing import Final

from watcher.core.delivery.model import Dedup, DeliveryRequest, Outcome, Refused
from watcher.core.event import Event
from watcher.http import Answered, HttpRequest
from watcher.receivers.responses import outcome_without_answer, redactor_for
from watcher.receivers.slack.blocks import content_step, payload
from watcher.receivers.slack.errors import classify, read_answer
from watcher.receivers.spec import InvalidReceiverError, Spec, pace_key_of

KIND: Final = "slack-webhook"
PACE_SECONDS: Final = 1.0
"""Slack allows one post a second and channel, with short bursts that it promises nothing about."""
HEADERS: Final = MappingProxyType({"content-type": "application/json"})


class SlackWebhookReceiver:
    """Posts each message as it looks best at this attempt."""

    kind = KIND
    pace_seconds = PACE_SECONDS
    dedup = Dedup.UNKNOWN

    def __init__(self, spec: Spec) -> None:
        self.name = spec.name
        self.pace_key = pace_key_of(spec.require_url())
        self._spec = spec

    def seal(self, event: Event, receiver_seq: int) -> None:
        """Keep no bytes: each attempt renders anew, simpler or marked as a possible repeat."""

    def seal_group(self, entries: Sequence[tuple[Event, int]], also: Sequence[Event]) -> None:
        """Keep no bytes, see ``seal``."""

    async def send(self, delivery_request: DeliveryRequest) -> Outcome:
        """Post once."""
        try:
            url = self._spec.require_url()
        except InvalidReceiverError as error:
            return Refused(reason=f"the address cannot be used: {error.fault}")
        redactor = redactor_for(url, ())
        request = HttpRequest(method="POST", url=url, headers=HEADERS, body=render(delivery_request))
        call = await self._spec.http.call(request)
        if not isinstance(call, Answered):
            return outcome_without_answer(call, redactor)
        return classify(read_answer(call, redactor), delivery_request.degrade)


def render(delivery_request: DeliveryRequest) -> bytes:
    """Return the body of this attempt."""
    content = payload(
        delivery_request.events,
        content_step(delivery_request.degrade),
        may_be_repeat=delivery_request.may_be_repeat,
        also=delivery_request.also,
        mentions=delivery_request.mentions,
    )
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
