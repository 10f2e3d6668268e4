"""The live parts of a page as server-sent events: each is sent at first, and when its text has changed."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from functools import partial
from hashlib import sha256
from html import unescape
from http import HTTPStatus
from typing import Final

from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from watcher.operations.errors import OperationRefusedError
from watcher.store.errors import StoreError
from watcher.web.store_reader import ReadsBusyError

STREAM_TYPE: Final = "text/event-stream"
EVERY_SECONDS: Final = 5.0
"""Ages on a page are at most so old, unless the page takes so much CPU time that it is kept for longer."""
STREAMS_MAX: Final = 24
"""Streams at a time; a page without one still has its button to reload."""
STREAMS_OF_ONE: Final = 8
"""Streams of one client, so that it leaves some for others."""
LONGEST_SECONDS: Final = 600.0
"""A stream ends then, and the page opens it again: none outlives a session or a reader that is gone."""
_TITLE: Final = re.compile(r"<title>(.*?)</title>", re.DOTALL)
_START: Final = re.compile(r'<([a-z]+)\b[^>]*? id="(live-[\w-]+)"')


class LiveStreams:
    """The open streams; they share the pages that were rendered."""

    def __init__(self, every_seconds: float = EVERY_SECONDS) -> None:
        self._every_seconds = every_seconds
        self._open = Counter[str]()

    async def response(self, render: Callable[[], Awaitable[str]], client: str = "") -> Response:
        """Return a stream of the parts of a page that change; 503 where too many are open.

        Args:
            render: returns the page; what it raises here becomes the answer, while the status is not sent yet.
            client: the address that asks.
        """
        if self._open.total() >= STREAMS_MAX or self._open[client] >= STREAMS_OF_ONE:
            return Response(status_code=HTTPStatus.SERVICE_UNAVAILABLE, headers={"Retry-After": "30"})
        # Counted before anything is awaited: others that come at the same time must not all find a place.
        self._open[client] += 1
        try:
            first = await render()
        except BaseException:
            self._close(client)
            raise
        return _Stream(self._events(first, render), partial(self._close, client))

    def _close(self, client: str) -> None:
        self._open[client] -= 1
        if not self._open[client]:
            del self._open[client]

    async def _events(self, first: str, render: Callable[[], Awaitable[str]]) -> AsyncIterator[str]:
        try:
            async with asyncio.timeout(LONGEST_SECONDS):
                parts = parts_of(first)
                yield "retry: 5000\n\n"
                # The page may be older than the stream: what changed while no stream was open is in these.
                yield event("parts", " ".join(sorted(parts)))
                yield event("title", title_of(first))
                for text in parts.values():
                    yield event("part", text)
                known, title = hashes_of(parts), title_of(first)
                while True:
                    await asyncio.sleep(self._every_seconds)
                    try:
                        page = await render()
                    except (StoreError, ReadsBusyError):
                        # The next one may show it again; meanwhile the page says how old it is.
                        yield event("alive", "")
                        continue
                    parts = parts_of(page)
                    found = hashes_of(parts)
                    if found.keys() != known.keys():
                        yield event("whole", "")
                        return
                    for name in (name for name in parts if found[name] != known[name]):
                        yield event("part", parts[name])
                    if title_of(page) != title:
                        title = title_of(page)
                        yield event("title", title)
                    known = found
                    # Without it, the page would take the connection for lost, and a proxy would close it.
                    yield event("alive", "")
        except OperationRefusedError:
            # There is no such page any more, and the reload says so.
            yield event("whole", "")
        except TimeoutError:
            # Without it, the browser would take the end for a lost connection.
            yield event("again", "")


class _Stream(StreamingResponse):
    """A response that tells its end, also where its first byte is never read."""

    def __init__(self, events: AsyncIterator[str], on_end: Callable[[], None]) -> None:
        # nginx would keep the events until its buffer is full.
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        super().__init__(events, media_type=STREAM_TYPE, headers=headers)
        self._on_end = on_end

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._on_end()


def parts_of(html: str) -> dict[str, str]:
    """Return the elements of a page whose id begins with ``live-``, by id; they are of our own templates."""
    found = {}
    for start in _START.finditer(html):
        tag = start[1]
        if start[2] == "live-status":
            continue
        depth = 0
        for edge in re.compile(rf"<(/?){tag}\b").finditer(html, start.start()):
            depth += -1 if edge[1] else 1
            if depth == 0:
                found[start[2]] = html[start.start() : html.index(">", edge.start()) + 1]
                break
    return found


def title_of(html: str) -> str:
    """Return the title of a page as plain text; empty where it has none."""
    found = _TITLE.search(html)
    return "" if found is None else unescape(found[1])


def hashes_of(parts: Mapping[str, str]) -> dict[str, bytes]:
    """Return a digest of each part."""
    return {name: sha256(text.encode("utf-8", "surrogatepass")).digest() for name, text in parts.items()}


def event(kind: str, data: str) -> str:
    """Write one event of a stream (HTML Living Standard, 9.2)."""
    lines = "".join(f"data: {line}\n" for line in data.splitlines() or [""])
    return f"event: {kind}\n{lines}\n"
