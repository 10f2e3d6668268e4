"""The receiver for Slack's incoming webhooks, which offer no way to look up whether a post arrived.

A message that is sent again after an uncertain attempt says that it may be a repeat. ``errors`` reads the answers,
``blocks`` renders the messages.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from types import MappingProxyType
from typing import Final

from watcher.core.delivery.model import TRIES, Dedup, DeliveryRequest, Outcome, Refused
from watcher.core.delivery.reason import Reason, ReasonCode
from watcher.core.event import Event
from watcher.core.messages.message import PLAIN_STYLE, Style
from watcher.http import Answered, HttpRequest, HttpResult
from watcher.logs import Redactor
from watcher.receivers.responses import outcome_without_answer, redactor_for
from watcher.receivers.slack.blocks import payload
from watcher.receivers.slack.errors import SlackAnswer, classify, read_answer, read_status
from watcher.receivers.slack.group import EVENTS_MAX
from watcher.receivers.slack.mentions import RefusedMentions
from watcher.receivers.spec import InvalidReceiverError, Spec, pace_key_of

KIND: Final = "slack-webhook"
PACE_SECONDS: Final = 1.0
"""Slack allows one post per second and channel. It tolerates short bursts, but does not guarantee them."""
HEADERS: Final = MappingProxyType({"content-type": "application/json"})


class SlackWebhookReceiver:
    """Posts messages to one incoming webhook."""

    kind = KIND
    pace_seconds = PACE_SECONDS
    batch_max = EVENTS_MAX
    dedup = Dedup.UNKNOWN

    def __init__(self, spec: Spec) -> None:
        self.name = spec.name
        self.pace_key = pace_key_of(spec.require_url())
        self._spec = spec
        self._mentions = RefusedMentions(spec.clock)

    def seal(self, event: Event, receiver_seq: int) -> None:
        """Return ``None``: each attempt renders anew, simpler or marked as a possible repeat."""

    def seal_group(self, entries: Sequence[tuple[Event, int]], also: Sequence[Event]) -> None:
        """Return ``None``, as ``seal`` does."""

    async def send(self, request: DeliveryRequest) -> Outcome:
        """Post once."""
        outcome = await self._post(self._mentions.without_refused(request))
        self._mentions.note(request, outcome)
        return outcome

    async def _post(self, request: DeliveryRequest) -> Outcome:
        try:
            url = self._spec.require_url()
        except InvalidReceiverError as error:
            # A file may be read while it is being replaced.
            return Refused(reason=Reason(code=ReasonCode.ADDRESS_INVALID, detail=error.fault), tries=TRIES)
        redactor = redactor_for(url, ())
        body = render(request, self._spec.style)
        # A message that a closed connection leaves uncertain would be sent twice, or marked in vain.
        call = await self._spec.http.call(
            HttpRequest(method="POST", url=url, headers=HEADERS, body=body, own_connection=True)
        )
        answer = _answer_of(call, redactor)
        if isinstance(answer, SlackAnswer):
            return classify(answer, request.degrade, mentions=bool(request.mentions))
        return answer


def _answer_of(call: HttpResult, redactor: Redactor) -> SlackAnswer | Outcome:
    if isinstance(call, Answered):
        return read_answer(call, redactor)
    # Every 2xx confirms the post, also one whose body is cut: a repeat would come after each such answer.
    return read_status(call, redactor, confirms=True) or outcome_without_answer(call, redactor)


def render(request: DeliveryRequest, style: Style = PLAIN_STYLE) -> bytes:
    """Return the body of this attempt."""
    content = payload(
        request.events,
        request.degrade,
        may_be_repeat=request.may_be_repeat,
        also=request.also,
        mentions=request.mentions,
        style=style,
        now=request.attempted_at,
    )
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
