"""A Slack workspace on virtual time, for the real receivers; it has one channel, Slack's limits, and faults."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qs

from tests.support.virtual import VirtualClock
from tests.unit.receivers.slack import slack_rules
from watcher.core.secret import Secret, revealed
from watcher.http import Answered, FailureReason, Headers, HttpRequest, HttpResult, MaybeSent
from watcher.receivers import Spec
from watcher.receivers.slack.bot import SlackReceiver
from watcher.receivers.slack.webhook import SlackWebhookReceiver

CHANNEL: Final = "C0123456789"
LATENCY_SECONDS: Final = 0.05
LOST: Final = "lost"
"""The fault of an answer that is lost after the message was posted."""


@dataclass(slots=True)
class VirtualSlack:
    """One workspace; it replaces the HTTP client of its receivers."""

    clock: VirtualClock
    fault: Callable[[dict[str, Any]], str | None] = lambda _: None
    """Returns the error name of a post by its body, ``LOST``, or ``None``."""
    mentions: tuple[str, ...] = ()
    """The only allowed markup."""
    messages: list[dict[str, Any]] = field(default_factory=list)
    """The channel, oldest first; each with its virtual time as ``seconds``."""
    refused: list[str] = field(default_factory=list)
    """The error names of all refused posts."""

    def bot(self, name: str = "slack") -> SlackReceiver:
        """Return a bot of the channel."""
        token = Secret("xoxb-0000000000-thisisthetokenofthetests")
        url = "https://slack.example/api/"
        return SlackReceiver(self._spec(name, secret=lambda: token, channel=CHANNEL, api_url=url))

    def webhook(self, name: str = "slack") -> SlackWebhookReceiver:
        """Return an incoming webhook of the channel."""
        return SlackWebhookReceiver(self._spec(name, url=Secret("https://slack.example/services/T0/B0/secretpart")))

    def _spec(self, name: str, **settings: Any) -> Spec:
        replaced: Any = {"http": self, "clock": self.clock}
        return Spec(name=name, **replaced, **settings)

    async def call(self, request: HttpRequest) -> HttpResult:
        """Answer one call, as ``HttpClient.call`` does."""
        assert request.body is not None
        await asyncio.sleep(LATENCY_SECONDS)
        url = revealed(request.url)
        if url.endswith("conversations.history"):
            return self._answer({"ok": True, "messages": self._since(parse_qs(request.body.decode()))})
        body = json.loads(request.body)
        fault = self.fault(body) or ("invalid_blocks" if slack_rules.faults(body, self.mentions) else None)
        if fault not in {None, LOST}:
            self.refused.append(str(fault))
            return self._answer({"ok": False, "error": fault})
        now = self.clock.utc_now()
        self.messages.append({**body, "ts": f"{now.timestamp():.6f}", "seconds": self.clock.monotonic()})
        if fault is not None:
            return MaybeSent(reason=FailureReason.RESET, detail="reset", asked_at=now, ended_at=now)
        return self._answer({"ok": True, "ts": self.messages[-1]["ts"]})

    def _since(self, arguments: dict[str, list[str]]) -> list[dict[str, Any]]:
        oldest = float(arguments["oldest"][0])
        return [message for message in reversed(self.messages) if float(message["ts"]) > oldest]

    def _answer(self, document: dict[str, Any]) -> Answered:
        now = self.clock.utc_now()
        return Answered(
            status=200, headers=Headers(()), body=json.dumps(document).encode(), asked_at=now, answered_at=now
        )

    def event_ids(self) -> list[list[str]]:
        """Return the ids of the events of each message of a bot."""
        return [message["metadata"]["event_payload"]["event_ids"].split() for message in self.messages]


def shown(message: dict[str, Any]) -> str:
    """Return everything that a person sees of a message."""
    if "blocks" not in message:
        return str(message["text"])
    return "\n".join(text for block in message["blocks"] for text in slack_rules.texts(block))
