"""Local servers in place of webhook consumers and Slack's incoming webhooks."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import uvicorn
from slack_sdk.models.blocks import Block
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import Message, Receive, Scope, Send

from watcher.accepting import end_accepting


@dataclass(frozen=True, slots=True)
class Received:
    """One received request."""

    at: datetime
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)

    @property
    def webhook_id(self) -> str:
        """The delivery's id."""
        return self.headers["webhook-id"]

    @property
    def events(self) -> list[Any]:
        """The events in the body of a webhook: one, or those of a group."""
        body = self.json
        return list(body["data"]["events"]) if body["type"] == "group" else [body["data"]]


Script = Callable[[Received], Response]


def answer_ok(_received: Received) -> Response:
    """Return 200 "ok", the answer of Slack's incoming webhooks."""
    return PlainTextResponse("ok")


@dataclass(slots=True)
class Inbox:
    """Keeps all received requests; ``script`` returns the answers."""

    script: Script = answer_ok
    received: list[Received] = field(default_factory=list)
    url: str = ""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        item = Received(datetime.now(UTC), dict(request.headers), await request.body())
        self.received.append(item)
        await self.script(item)(scope, receive, send)

    def accepted_ids(self) -> list[str]:
        """Return the ids of the deliveries in the order of their first arrival."""
        return list(dict.fromkeys(item.webhook_id for item in self.received))

    def events(self) -> list[Any]:
        """Return the events of the deliveries, each once, in the order of their first arrival."""
        first = {item.webhook_id: item.events for item in reversed(self.received)}
        return [event for identity in self.accepted_ids() for event in first[identity]]


@dataclass(slots=True)
class SlowInbox(Inbox):
    """Waits before it answers a received request."""

    seconds: Callable[[], float] = lambda: 0.0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def later(message: Message) -> None:
            if message["type"] == "http.response.start":
                await asyncio.sleep(self.seconds())
            await send(message)

        await Inbox.__call__(self, scope, receive, later)


def as_slack(received: Received) -> Response:
    """Answer as Slack does: reject a message that breaks its limits."""
    payload = received.json
    if not payload.get("text"):
        return PlainTextResponse("no_text", 400)
    blocks = Block.parse_all(payload.get("blocks", []))
    for block in blocks:
        block.validate_json()
    return PlainTextResponse("ok")


@asynccontextmanager
async def listening(inbox: Inbox) -> AsyncIterator[Inbox]:
    """Serve an inbox on a free port while the block runs."""
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(inbox, lifespan="off", log_config=None, access_log=False, timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    server.capture_signals = nullcontext  # type: ignore[method-assign,assignment]  # signals are pytest's
    task = asyncio.create_task(server.serve(sockets=[listener]))
    inbox.url = f"http://127.0.0.1:{listener.getsockname()[1]}/hook"
    try:
        yield inbox
    finally:
        for accepting in getattr(server, "servers", ()):
            await end_accepting(accepting)
        server.should_exit = True
        await task
