"""A bad line: a proxy between the daemon and whatever it talks to, whose trouble can be chosen."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from enum import StrEnum
from typing import Final
from urllib.parse import urlsplit, urlunsplit

CHUNK: Final = 4096
NO_LINGER: Final = struct.pack("ii", 1, 0)


class IncidentRow(StrEnum):
    """What is wrong with the line."""

    NONE = "none"
    LATENCY = "latency"
    DRIP = "drip"
    RESET = "reset"
    HALF_CLOSE = "half-close"
    BLACKHOLE = "blackhole"
    BANDWIDTH = "bandwidth"


class WriteQueue:
    """Passes bytes on as its trouble lets it; made by ``line_to``."""

    def __init__(self, host: str, port: int) -> None:
        self.trouble = IncidentRow.NONE
        self.url = ""
        self.struck = 0
        """How often bytes met with trouble."""
        self._upstream = (host, port)
        self._open: set[asyncio.StreamWriter] = set()

    def set(self, trouble: IncidentRow) -> None:
        """Change the trouble; what hangs in the old one is cut."""
        self.trouble = trouble
        for writer in tuple(self._open):
            writer.transport.abort()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry one connection."""
        self._open.add(writer)
        try:
            if self.trouble is IncidentRow.BLACKHOLE:
                self.struck += 1
                await asyncio.Event().wait()
            theirs_in, theirs_out = await asyncio.open_connection(*self._upstream)
            self._open.add(theirs_out)
            try:
                await asyncio.gather(self._pass(reader, theirs_out), self._spoil(theirs_in, writer))
            finally:
                self._open.discard(theirs_out)
                theirs_out.transport.abort()
        except OSError:
            pass
        finally:
            self._open.discard(writer)
            writer.transport.abort()

    async def _pass(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while chunk := await source.read(CHUNK):
            sink.write(chunk)
            await sink.drain()
        with suppress(OSError):
            sink.write_eof()

    async def _spoil(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while chunk := await source.read(CHUNK):
            self.struck += self.trouble is not IncidentRow.NONE
            match self.trouble:
                case IncidentRow.LATENCY:
                    await asyncio.sleep(0.3)
                    sink.write(chunk)
                case IncidentRow.DRIP:
                    await _in_pieces(chunk, sink, 1, 0.2)
                case IncidentRow.BANDWIDTH:
                    await _in_pieces(chunk, sink, 200, 0.05)
                case IncidentRow.RESET:
                    _reset(sink)
                case IncidentRow.HALF_CLOSE:
                    sink.write(chunk[: len(chunk) // 2])
                    sink.write_eof()
                    return
                case IncidentRow.BLACKHOLE:
                    continue
                case IncidentRow.NONE:
                    sink.write(chunk)
            await sink.drain()


async def _in_pieces(chunk: bytes, sink: asyncio.StreamWriter, size: int, wait_seconds: float) -> None:
    for start in range(0, len(chunk), size):
        sink.write(chunk[start : start + size])
        await sink.drain()
        await asyncio.sleep(wait_seconds)


def _reset(sink: asyncio.StreamWriter) -> None:
    sink.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)
    sink.transport.abort()


@asynccontextmanager
async def line_to(url: str) -> AsyncIterator[WriteQueue]:
    """Stand before the server of this address as long as the block runs."""
    parts = urlsplit(url)
    assert parts.hostname
    assert parts.port
    line = WriteQueue(parts.hostname, parts.port)
    tasks: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(line.serve(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    line.url = urlunsplit(parts._replace(netloc=f"127.0.0.1:{port}"))
    try:
        yield line
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
