"""The webhook receiver: signed posts to any HTTP endpoint, with one id and one body at every attempt.

Source: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md. docs/webhooks.md
describes the requests for consumers.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from http import HTTPStatus
from typing import Final

from watcher.core.delivery.model import TRIES, Dedup, Delivered, DeliveryRequest, Outcome, Refused, TryLater
from watcher.core.delivery.reason import Reason, ReasonCode, RefusalRemedy, http_reason
from watcher.core.event import Event
from watcher.core.secret import Secret
from watcher.http import Answered, HttpRequest, HttpResult, MaybeSent
from watcher.logs import Redactor
from watcher.receivers.payload import sealed
from watcher.receivers.responses import (
    NOT_RENDERED,
    outcome_without_answer,
    redactor_for,
    requested_pause_seconds,
    shortened_answer,
)
from watcher.receivers.signature import decode_keys, signed_headers
from watcher.receivers.spec import InvalidReceiverError, Spec, pace_key_of

KIND: Final = "webhook"
OWN_HEADERS: Final = frozenset({"content-type", "content-length", "transfer-encoding", "connection", "host"})
_HEADER_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_VALUE: Final = re.compile(r"[\t\x20-\x7e]*")

WAIT: Final = frozenset({408, 425, 429, 502, 503, 504})
"""The consumer asks for a wait, or a proxy could not reach it."""
MESSAGE_REFUSED: Final = frozenset({400, 409, 413, 422})
"""The consumer rejects this body.

Only this message is retried, because a later release of the consumer may accept it. One rejected message does not park
the receiver.
"""


class WebhookReceiver:
    """Posts a sealed body; the id in its headers marks a repeat."""

    kind = KIND
    pace_seconds = 0.0
    batch_max = 1
    dedup = Dedup.BY_ID

    def __init__(self, spec: Spec) -> None:
        self.name = spec.name
        self.pace_key = pace_key_of(spec.require_url())
        self._spec = spec
        self._http, self._clock, self._secret = spec.http, spec.clock, spec.secret
        _checked_headers(spec)
        if self._secret is not None:
            decode_keys(self._secret(), self.name)

    def seal(self, event: Event, receiver_seq: int) -> bytes:
        """Return the body; it is rendered once and stored, so that every attempt sends the same bytes."""
        return sealed([(event, receiver_seq)])

    def seal_group(self, entries: Sequence[tuple[Event, int]], also: Sequence[Event]) -> bytes:
        """Return the body of a delivery of several events."""
        return sealed(entries, also)

    async def send(self, request: DeliveryRequest) -> Outcome:
        """Post the sealed body once."""
        if request.body is None:
            return NOT_RENDERED
        try:
            secret = None if self._secret is None else self._secret()
            keys = decode_keys(secret, self.name) if secret else ()
            url, own_headers = self._spec.require_url(), _checked_headers(self._spec)
        except Exception as error:  # noqa: BLE001 - a source of secrets may raise anything; nothing was sent
            # A file may be read while it is being replaced.
            return Refused(reason=Reason(code=ReasonCode.SECRET_UNUSABLE, detail=str(error)), tries=TRIES)
        headers = own_headers | signed_headers(request.delivery_id, request.body, self._clock.utc_now(), keys)
        http_request = HttpRequest(method="POST", url=url, headers=headers, body=request.body)
        hidden = [*own_headers.values(), *([secret] if secret else [])]
        return outcome_of(await self._http.call(http_request), redactor_for(url, hidden))


def outcome_of(call: HttpResult, redactor: Redactor) -> Outcome:
    """Return the outcome of a post."""
    if isinstance(call, Answered):
        return classify(call.status, shortened_answer(call, redactor), requested_pause_seconds(call))
    outcome = outcome_without_answer(call, redactor)
    if isinstance(call, MaybeSent) and call.status is not None:
        # The status alone decides; only the rest of the answer was lost.
        return classify(call.status, outcome.answer)
    return outcome


def classify(status: int, answer: str, after_seconds: float | None = None) -> Outcome:
    """Return the outcome of an HTTP status.

    A 5xx is retried and is not uncertain. If the consumer did process the message, the id marks the repeat. Any other
    refusal is tried again soon, since a rolling deploy or a gateway gives such answers for a moment.
    """
    if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        return Delivered(answer=answer)
    if status in WAIT or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return TryLater(reason=http_reason(status), answer=answer, after_seconds=after_seconds)
    if status in MESSAGE_REFUSED:
        return TryLater(reason=Reason(code=ReasonCode.BODY_REFUSED, status=status), answer=answer)
    reason = Reason(code=ReasonCode.HTTP_REFUSED, status=status, remedy=_remedy(status))
    return Refused(reason=reason, answer=answer, tries=TRIES)


def _remedy(status: int) -> RefusalRemedy:
    match status:
        case 401 | 403 | 407:
            return RefusalRemedy.FIX_HEADERS
        case 410:
            return RefusalRemedy.RECEIVER_GONE
        case _ if status < HTTPStatus.BAD_REQUEST:
            return RefusalRemedy.SET_FINAL_URL
        case _:
            return RefusalRemedy.CHECK_URL


def _checked_headers(spec: Spec) -> dict[str, Secret]:
    for name, value in spec.headers.items():
        fault = _header_fault(name, value)
        if fault:
            raise InvalidReceiverError(spec.name, f"headers.{name}", fault)
    return dict(spec.headers)


def _header_fault(name: str, value: Secret) -> str | None:
    if not _HEADER_NAME.fullmatch(name):
        return "this is no valid name of an HTTP header"
    if name.lower() in OWN_HEADERS or name.lower().startswith("webhook-"):
        return "the watcher sets this header; remove it"
    if not _HEADER_VALUE.fullmatch(value.reveal()):
        return "its value must be one line of printable ASCII"
    return None
