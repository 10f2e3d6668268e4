"""The receiver for a Slack bot. After an attempt without an answer it looks the message up in the channel's history.

The metadata of each message holds the ids of the delivery and its events, by which a lookup recognises it. ``errors``
reads the answers, ``blocks`` renders the messages.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from watcher.core.delivery.lookup import LookupDenied, LookupFailed, LookupResult, MessageFound, MessageNotFound
from watcher.core.delivery.model import Dedup, DeliveryRequest, Outcome, Refused, TryLater, Uncertain
from watcher.core.delivery.reason import Reason, ReasonCode, RefusalRemedy, named_reason
from watcher.core.event import Event
from watcher.core.messages.message import PLAIN_STYLE, Style
from watcher.core.messages.reasons import reason_text
from watcher.core.secret import hint
from watcher.receivers.slack.access import Access
from watcher.receivers.slack.api import Reply, SlackApi
from watcher.receivers.slack.blocks import METADATA_STEP, has_metadata, payload
from watcher.receivers.slack.error_names import MISSING_SCOPE, UNREADABLE_HISTORY, WEB_API
from watcher.receivers.slack.errors import classify
from watcher.receivers.slack.group import EVENTS_MAX
from watcher.receivers.slack.mentions import RefusedMentions
from watcher.receivers.spec import PACE_KEY_LENGTH, InvalidReceiverError, Spec, is_http_url

KIND: Final = "slack"
API_URL: Final = "https://slack.com/api/"
PACE_SECONDS: Final = 1.0
"""Slack allows one post per second and channel. It tolerates short bursts, but does not guarantee them."""
EVENT_TYPE: Final = "aitems_training"
HISTORY_MARGIN: Final = timedelta(seconds=60)
"""The history is read from this long before the attempt, in addition to the difference between the clocks."""
DATE_TOLERANCE_SECONDS: Final = 5.0
"""A smaller difference of clocks needs no new start: answers state their time in seconds, and arrive later."""
PAGE: Final = 100
"""Messages in a page; Slack recommends at most 200, and a page must not exceed the byte limit of an answer."""
PAGES_MAX: Final = 200
LOOKUP_SECONDS: Final = 60.0
"""The time for reading pages; with the last call it stays below a lease."""


class SlackReceiver:
    """Posts messages into one channel with one token."""

    kind = KIND
    pace_seconds = PACE_SECONDS
    batch_max = EVENTS_MAX
    dedup = Dedup.BY_LOOKUP

    def __init__(self, spec: Spec) -> None:
        self.name = spec.name
        base_url = spec.api_url if spec.api_url.endswith("/") else f"{spec.api_url}/"
        if not is_http_url(base_url):
            raise InvalidReceiverError(spec.name, "api_url", f'set an address, e.g. "{API_URL}"')
        if not spec.channel:
            raise InvalidReceiverError(spec.name, "channel", 'set the id of a channel, e.g. "C0123456789"')
        if spec.secret is None:
            raise InvalidReceiverError(spec.name, "token", 'set the token of a bot, e.g. { env = "SLACK_TOKEN" }')
        secret = spec.secret()
        if mistake := hint(secret):
            raise InvalidReceiverError(spec.name, "token", f"it {mistake}")
        token = secret.reveal()
        if not (token.isascii() and token.isprintable()) or " " in token:
            raise InvalidReceiverError(spec.name, "token", "this is no token: set the text that begins with xoxb-")
        self.pace_key = _pace(base_url, token, spec.channel)
        self._channel = spec.channel
        self._clock = spec.clock
        self._style = spec.style
        self._api = SlackApi(spec.http, base_url, spec.secret)
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
        reply = await self._api.post("chat.postMessage", render(request, self._channel, self._style))
        if not isinstance(reply, Reply):
            return reply
        return classify(reply.answer, request.degrade, WEB_API, mentions=bool(request.mentions))

    async def look_up(self, requests: Sequence[DeliveryRequest]) -> Mapping[str, LookupResult]:
        """Return the lookup result of each delivery, from the channel's history since the earliest attempt."""
        wanted = {request.delivery_id for request in requests}
        # After a step of the wall clock, the attempt may lie in the future.
        oldest = min(_oldest(requests), self._clock.utc_now())
        arguments = self._history(oldest)
        found: dict[str, LookupResult] = {}
        ends_at = self._clock.monotonic() + LOOKUP_SECONDS
        for _ in range(PAGES_MAX):
            reply = await self._api.get("conversations.history", arguments)
            if not isinstance(reply, Reply) or not reply.good:
                return found | dict.fromkeys(wanted - found.keys(), _failed_lookup(reply))
            found |= _recognized(reply, wanted)
            if self._begins_later(arguments, oldest):
                arguments = self._history(oldest)
                continue
            cursor = _next_cursor(reply)
            if not cursor or found.keys() == wanted:
                missing = MessageNotFound(answer="not in the channel's history")
                return found | dict.fromkeys(wanted - found.keys(), missing)
            if self._clock.monotonic() > ends_at:
                break
            arguments["cursor"] = cursor
        return found | dict.fromkeys(
            wanted - found.keys(), LookupFailed(reason=Reason(code=ReasonCode.HISTORY_TOO_LONG))
        )

    async def access(self) -> Access:
        """Return the token's identity and scopes, and whether it can read the channel's history."""
        reply = await self._api.get("auth.test")
        if not isinstance(reply, Reply) or not reply.good:
            refused = classify(reply.answer, 0, WEB_API) if isinstance(reply, Reply) else reply
            why = f"auth.test: {reason_text(_reason(refused))}"
            return Access(identity="", scopes=(), answer=refused.answer, refused=why)
        failure = await self._try_history()
        why = "" if failure is None else reason_text(failure.reason)
        return Access(
            identity=" in ".join(name for key in ("user", "team") if (name := str(reply.document.get(key) or ""))),
            scopes=reply.scopes,
            answer=reply.answer.kept,
            refused=f"conversations.history: {why}" if isinstance(failure, LookupFailed) else None,
            unreadable=why if isinstance(failure, LookupDenied) else None,
        )

    async def _try_history(self) -> LookupFailed | LookupDenied | None:
        arguments = self._history(self._clock.utc_now()) | {"limit": "1"}
        reply = await self._api.get("conversations.history", arguments)
        if isinstance(reply, Reply) and reply.good:
            return None
        return _failed_lookup(reply)

    def _begins_later(self, arguments: Mapping[str, str], oldest: datetime) -> bool:
        """Return whether the request began too late in the history, by Slack's clock as its answer shows it."""
        return float(arguments["oldest"]) > float(self._history(oldest)["oldest"]) + DATE_TOLERANCE_SECONDS

    def _history(self, oldest: datetime) -> dict[str, str]:
        return {
            "channel": self._channel,
            "oldest": f"{(oldest - HISTORY_MARGIN - self._api.ahead).timestamp():.6f}",
            "limit": str(PAGE),
            "include_all_metadata": "true",
        }


def render(request: DeliveryRequest, channel: str, style: Style = PLAIN_STYLE) -> dict[str, object]:
    """Return the body of this attempt."""
    body = payload(
        request.events,
        request.degrade,
        may_be_repeat=request.may_be_repeat,
        also=request.also,
        mentions=request.mentions,
        style=style,
        now=request.attempted_at,
    )
    body |= {"channel": channel, "link_names": False}
    if not has_metadata(request.degrade):
        # Without metadata, a lookup recognises the message by this line.
        return body | {"text": f"{body['text']}\nDelivery `{request.delivery_id}`"}
    events = " ".join(event.id for event in request.events)
    facts = {"delivery_id": request.delivery_id, "event_ids": events}
    return body | {"metadata": {"event_type": EVENT_TYPE, "event_payload": facts}}


def _pace(base_url: str, token: str, channel: str) -> str:
    # A unit separator between the parts keeps ("a", "bc") and ("ab", "c") apart.
    return hashlib.sha256(f"{base_url}\x1f{token}\x1f{channel}".encode()).hexdigest()[:PACE_KEY_LENGTH]


def _oldest(requests: Sequence[DeliveryRequest]) -> datetime:
    """Return the start of the earliest attempt; an unknown start counts as the time of its first event."""
    return min(request.attempted_at or request.events[0].recorded_at for request in requests)


def _recognized(reply: Reply, wanted: set[str]) -> dict[str, LookupResult]:
    found: dict[str, LookupResult] = {}
    messages = reply.document.get("messages")
    for message in messages if isinstance(messages, list) else []:
        identity = _recognized_id(message, wanted) if isinstance(message, dict) else None
        if identity is not None:
            found[identity] = MessageFound(receipt=str(message.get("ts")), answer="found in the channel's history")
    return found


def _recognized_id(message: Mapping[str, Any], wanted: set[str]) -> str | None:
    metadata = message.get("metadata")
    if isinstance(metadata, dict) and metadata.get("event_type") == EVENT_TYPE:
        facts = metadata.get("event_payload")
        identity = facts.get("delivery_id") if isinstance(facts, dict) else None
        return identity if identity in wanted else None
    text = message.get("text")
    return next((identity for identity in wanted if isinstance(text, str) and f"`{identity}`" in text), None)


def _next_cursor(reply: Reply) -> str:
    more = reply.document.get("response_metadata")
    cursor = more.get("next_cursor") if isinstance(more, dict) else None
    return cursor if isinstance(cursor, str) else ""


def _failed_lookup(reply: Reply | Outcome) -> LookupFailed | LookupDenied:
    if not isinstance(reply, Reply):
        requested = reply.after_seconds if isinstance(reply, TryLater | Uncertain) else None
        return LookupFailed(reason=_reason(reply), answer=reply.answer, after_seconds=requested)
    answer = reply.answer
    if answer.name in UNREADABLE_HISTORY:
        return LookupDenied(reason=_denial_reason(reply), answer=answer.kept)
    outcome = classify(answer, METADATA_STEP, WEB_API)
    requested = outcome.after_seconds if isinstance(outcome, TryLater | Uncertain) else None
    return LookupFailed(reason=_reason(outcome), answer=answer.kept, after_seconds=requested)


def _denial_reason(reply: Reply) -> Reason:
    needed = reply.document.get("needed")
    if reply.answer.name == MISSING_SCOPE and isinstance(needed, str):
        return Reason(code=ReasonCode.SCOPE_MISSING, name=MISSING_SCOPE, detail=needed)
    if reply.answer.name == "not_in_channel":
        name, remedy = reply.answer.name, RefusalRemedy.INVITE
        return Reason(code=ReasonCode.NAMED_REFUSED, name=name, remedy=remedy)
    return named_reason(reply.answer.name)


def _reason(outcome: Outcome) -> Reason:
    unreadable = Reason(code=ReasonCode.UNREADABLE)
    return outcome.reason if isinstance(outcome, Refused | TryLater | Uncertain) else unreadable
