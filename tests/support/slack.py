"""A local Slack: the Web API for bots, with Slack's limits and with faults in and below HTTP."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from email.utils import formatdate
from enum import StrEnum
from typing import Any, Final
from urllib.parse import parse_qs

from tests.unit.receivers.slack import slack_rules
from watcher.accepting import end_accepting

CHANNEL: Final = "C0123456789"
TOKEN: Final = "xoxb-0000000000-0000000000-thisisthetokenofthetests"
SCOPES: Final = frozenset({"chat:write", "channels:history"})
PAGE: Final = 15
"""The most messages a page, few, so that tests need several pages."""
METADATA_MAX: Final = 4_000
NO_LINGER: Final = struct.pack("ii", 1, 0)


class SlackFault(StrEnum):
    """A fault in place of the answer to a post; any other text is an error name of Slack."""

    EARLY_RESET = "early reset"
    LATE_RESET = "late reset"
    """The message is posted, then the connection is reset."""
    ERROR = "500"
    LATE_ERROR = "late 500"
    """The message is posted, and the answer is an error."""
    HANG = "hang"
    LATE_HANG = "late hang"
    THROTTLED = "429"
    PAGE = "a proxy's page"


POSTED: Final = frozenset({SlackFault.LATE_RESET, SlackFault.LATE_ERROR, SlackFault.LATE_HANG})
"""The faults after which the message is in the channel nevertheless."""

Reply = tuple[int, dict[str, str], bytes]


@dataclass(slots=True)
class Bucket:
    """A token bucket: so many calls at once, refilled over time."""

    size: float
    per_second: float
    left: float = -1.0
    at: float = 0.0

    def take(self) -> bool:
        """Take one token; return whether there was one."""
        now = time.monotonic()
        self.left = self.size if self.left < 0 else min(self.size, self.left + (now - self.at) * self.per_second)
        self.at = now
        if self.left < 1:
            return False
        self.left -= 1
        return True


@dataclass(slots=True)
class LocalSlack:
    """One workspace with one channel and one bot."""

    token: str = TOKEN
    scopes: frozenset[str] = SCOPES
    fault: Callable[[dict[str, Any]], str | None] = lambda _: None
    """Returns the fault of a post by its body."""
    history_fault: Callable[[], str | None] = lambda: None
    arrived: Callable[[], None] = lambda: None
    """Called when a post was received, before it is processed."""
    delays: Callable[[], tuple[float, float]] = lambda: (0.0, 0.0)
    """The seconds before a post is stored, and from then until its answer."""
    behind_seconds: float = 0.0
    """The lag of its clock behind ours."""
    url: str = ""
    messages: list[dict[str, Any]] = field(default_factory=list)
    calls: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    """The number of error answers by name, including requested faults."""
    too_fast: int = 0
    """The number of posts beyond the allowed pace, without those that a fault throttled."""
    bodies: list[dict[str, Any]] = field(default_factory=list)
    """Every received post, accepted or not."""
    raw: list[bytes] = field(default_factory=list)
    pace: Bucket = field(default_factory=lambda: Bucket(3, 1.0))
    tier: Bucket = field(default_factory=lambda: Bucket(50, 50 / 60))
    closing: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def texts(self) -> list[str]:
        """The texts in the channel, oldest first."""
        return [message["text"] for message in self.messages]

    def delivery_ids(self) -> list[str]:
        """The delivery id of each message of the bot, oldest first."""
        return [message["metadata"]["event_payload"]["delivery_id"] for message in self.messages]

    def say(self, text: str) -> None:
        """Add a message of another user to the channel."""
        self._store({"text": text, "user": "U0000000001"})

    def _store(self, message: dict[str, Any]) -> str:
        last = float(self.messages[-1]["ts"]) if self.messages else 0.0
        ts = f"{max(time.time() - self.behind_seconds, last + 0.000001):.6f}"
        self.messages.append({"type": "message", **message, "ts": ts})
        return ts

    async def answer(self, method: str, headers: dict[str, str], body: bytes) -> Reply | None:
        """Answer one call; ``None`` resets the connection."""
        self.calls[method] += 1
        problem = self._unauthorized(headers)
        if problem:
            return self._error(problem)
        match method:
            case "auth.test":
                known = {"ok": True, "team": "Tests", "user": "aitems", "bot_id": "B0000000001"}
                return self._success(known)
            case "chat.postMessage":
                return await self._post(headers, body)
            case "conversations.history":
                return self._history(body)
        return self._error("unknown_method")

    def _unauthorized(self, headers: dict[str, str]) -> str | None:
        given = headers.get("authorization", "")
        if not given:
            return "not_authed"
        return None if given == f"Bearer {self.token}" else "invalid_auth"

    async def _post(self, headers: dict[str, str], raw: bytes) -> Reply | None:
        assert headers["content-type"].startswith("application/json")
        body = json.loads(raw)
        self.bodies.append(body)
        self.arrived()
        before, after = self.delays()
        await asyncio.sleep(before)
        fault = self.fault(body)
        if fault is not None and fault not in POSTED:
            return await self._fail(fault)
        if not self.pace.take():
            self.too_fast += 1
            return self._throttled()
        problem = self._refusal(body)
        if problem:
            return self._error(problem)
        ts = self._store({key: body[key] for key in ("text", "blocks", "metadata") if key in body} | {"bot_id": "B1"})
        await asyncio.sleep(after)
        if fault is not None:
            return await self._fail(fault)
        return self._success({"ok": True, "channel": body["channel"], "ts": ts, "message": self.messages[-1]})

    def _refusal(self, body: dict[str, Any]) -> str | None:
        if "chat:write" not in self.scopes:
            return "missing_scope"
        if body.get("channel") != CHANNEL:
            return "channel_not_found"
        if not body.get("text") and not body.get("blocks"):
            return "no_text"
        if len(body.get("text", "")) > 40_000:
            return "msg_too_long"
        if slack_rules.faults(body):
            return "invalid_blocks"
        return _metadata_refusal(body.get("metadata"))

    async def _fail(self, fault: str) -> Reply | None:
        self.refused[fault] += 1
        match fault:
            case SlackFault.EARLY_RESET | SlackFault.LATE_RESET:
                return None
            case SlackFault.HANG | SlackFault.LATE_HANG:
                await self.closing.wait()
                return None
            case SlackFault.ERROR | SlackFault.LATE_ERROR:
                return (500, {}, b'{"ok":false,"error":"internal_error"}')
            case SlackFault.PAGE:
                return (502, {"content-type": "text/html"}, b"<html>Bad Gateway</html>")
            case SlackFault.THROTTLED:
                return self._throttled()
        return _json(200, {"ok": False, "error": fault})

    def _history(self, raw: bytes) -> Reply:
        wanted = {key: values[0] for key, values in parse_qs(raw.decode()).items()}
        fault = self.history_fault()
        if fault == SlackFault.THROTTLED or not self.tier.take():
            return self._throttled()
        if fault == SlackFault.ERROR:
            return (500, {}, b"")
        if fault is not None:
            return self._error(fault)
        if "channels:history" not in self.scopes:
            return self._error("missing_scope", needed="channels:history")
        if wanted["channel"] != CHANNEL:
            return self._error("channel_not_found")
        return self._success(self._page(wanted))

    def _page(self, wanted: dict[str, str]) -> dict[str, Any]:
        oldest, before = float(wanted.get("oldest", "0")), float(wanted.get("cursor", "inf"))
        newest_first = [item for item in reversed(self.messages) if oldest < float(item["ts"]) < before]
        page = newest_first[: min(PAGE, int(wanted.get("limit", "100")))]
        more = len(page) < len(newest_first)
        shown = page if wanted.get("include_all_metadata") == "true" else [_without_metadata(item) for item in page]
        cursor = str(page[-1]["ts"]) if more else ""
        return {"ok": True, "messages": shown, "has_more": more, "response_metadata": {"next_cursor": cursor}}

    def _success(self, document: dict[str, Any]) -> Reply:
        return _json(200, document, {"x-oauth-scopes": ",".join(sorted(self.scopes))})

    def _error(self, name: str, **more: str) -> Reply:
        self.refused[name] += 1
        document = {"ok": False, "error": name, **more}
        return _json(200, document, {"x-oauth-scopes": ",".join(sorted(self.scopes))})

    def _throttled(self) -> Reply:
        self.refused["ratelimited"] += 1
        return _json(429, {"ok": False, "error": "ratelimited"}, {"retry-after": "1"})


def _without_metadata(message: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in message.items() if key != "metadata"}


def _metadata_refusal(metadata: Any) -> str | None:
    if metadata is None:
        return None
    if set(metadata) != {"event_type", "event_payload"} or not isinstance(metadata["event_payload"], dict):
        return "invalid_metadata_format"
    if any(isinstance(value, list | dict) for value in metadata["event_payload"].values()):
        return "invalid_metadata_schema"
    return "metadata_too_large" if len(json.dumps(metadata)) > METADATA_MAX else None


def _json(status: int, document: object, headers: dict[str, str] | None = None) -> Reply:
    return status, {"content-type": "application/json; charset=utf-8", **(headers or {})}, json.dumps(document).encode()


@asynccontextmanager
async def local_slack(slack: LocalSlack) -> AsyncIterator[LocalSlack]:
    """Serve the workspace on a free port while the block runs."""
    tasks: set[asyncio.Task[None]] = set()

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(_serve(slack, reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    listener = await asyncio.start_server(connected, "127.0.0.1", 0)
    slack.url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}/api/"
    try:
        yield slack
    finally:
        slack.closing.set()
        await end_accepting(listener)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        # The transports close in the next iteration of the loop.
        await asyncio.sleep(0)


async def _serve(slack: LocalSlack, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            while (reply := await slack.answer(*await _read(reader, slack.raw))) is not None:
                writer.write(_written(*reply, date=time.time() - slack.behind_seconds))
                await writer.drain()
    finally:
        _reset(writer)


async def _read(reader: asyncio.StreamReader, kept: list[bytes]) -> tuple[str, dict[str, str], bytes]:
    head = await reader.readuntil(b"\r\n\r\n")
    request, *lines = head.decode("ascii").strip().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    kept.append(head + body)
    verb, path, _ = request.split(" ")
    assert verb == "POST"
    return path.removeprefix("/api/"), headers, body


def _written(status: int, headers: dict[str, str], body: bytes, date: float) -> bytes:
    fields = {**headers, "content-length": str(len(body)), "date": formatdate(date, usegmt=True)}
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"HTTP/1.1 {status} X\r\n{lines}\r\n".encode() + body


def _reset(writer: asyncio.StreamWriter) -> None:
    connection = writer.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)
    writer.transport.abort()


def in_turn(faults: Iterable[str | None]) -> Callable[[dict[str, Any]], str | None]:
    """Return a source of these faults for successive posts, and of none after them."""
    rest = iter(faults)
    return lambda _: next(rest, None)
