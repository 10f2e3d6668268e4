"""A server in front of another one that closes kept connections around a request, which it then does not pass on."""

from __future__ import annotations

import asyncio
import random
import re
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from enum import StrEnum
from typing import Final
from urllib.parse import urlsplit, urlunsplit

from watcher.accepting import end_accepting

HEAD_END: Final = b"\r\n\r\n"
LENGTH: Final = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
NO_LINGER: Final = struct.pack("ii", 1, 0)
LONGEST_IDLE_SECONDS: Final = 1.5
RESETS: Final = 0.5
"""The share of the closes that are resets."""


class ClosePoint(StrEnum):
    """The point at which a kept connection closes."""

    IDLE = "after some time without a request"
    FIRST_BYTE = "at the first byte of a request"
    HEAD = "after the head of a request"
    WHOLE = "after a whole request, unprocessed"


class ClosingPeer:
    """Passes on the first request of each connection, and later ones by chance."""

    def __init__(self, host: str, port: int, draw: random.Random) -> None:
        self.url = ""
        self.closed: dict[ClosePoint, int] = dict.fromkeys(ClosePoint, 0)
        """How often a connection was closed at each point."""
        self._upstream = (host, port)
        self._draw = draw

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        try:
            with suppress(OSError, asyncio.IncompleteReadError):
                await self._serve_and_close(reader, writer)
        finally:
            writer.close()

    async def _serve_and_close(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._pass_on(await _whole_request(reader), writer)
        while (point := self._draw.choice([*ClosePoint, None])) is None:
            await self._pass_on(await _whole_request(reader), writer)
        await self._wait_for(point, reader)
        self.closed[point] += 1
        if self._draw.random() < RESETS:
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)

    async def _wait_for(self, point: ClosePoint, reader: asyncio.StreamReader) -> None:
        match point:
            case ClosePoint.IDLE:
                await asyncio.sleep(self._draw.uniform(0.0, LONGEST_IDLE_SECONDS))
            case ClosePoint.FIRST_BYTE:
                await reader.readexactly(1)
            case ClosePoint.HEAD:
                await reader.readuntil(HEAD_END)
            case ClosePoint.WHOLE:
                await _whole_request(reader)

    async def _pass_on(self, request: bytes, writer: asyncio.StreamWriter) -> None:
        source, sink = await asyncio.open_connection(*self._upstream)
        try:
            sink.write(request)
            head = await source.readuntil(HEAD_END)
            writer.write(head + await source.readexactly(_length(head)))
            await writer.drain()
        finally:
            sink.close()


async def _whole_request(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(HEAD_END)
    return head + await reader.readexactly(_length(head))


def _length(head: bytes) -> int:
    found = LENGTH.search(head)
    return int(found[1]) if found else 0


@asynccontextmanager
async def closing_peer(url: str, draw: random.Random) -> AsyncIterator[ClosingPeer]:
    """Run a closing peer in front of this server while the block runs."""
    parts = urlsplit(url)
    assert parts.hostname
    assert parts.port
    peer = ClosingPeer(parts.hostname, parts.port, draw)
    tasks: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(peer.serve(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    peer.url = urlunsplit(parts._replace(netloc=f"127.0.0.1:{server.sockets[0].getsockname()[1]}"))
    try:
        yield peer
    finally:
        await end_accepting(server)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0)
