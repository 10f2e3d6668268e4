"""A TCP proxy between the daemon and its peers, with a selectable network fault."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from enum import StrEnum
from typing import Final
from urllib.parse import urlsplit, urlunsplit

from watcher.accepting import end_accepting

CHUNK: Final = 4096
NO_LINGER: Final = struct.pack("ii", 1, 0)


class NetworkFault(StrEnum):
    """The fault of the connection."""

    NONE = "none"
    LATENCY = "latency"
    DRIP = "drip"
    RESET = "reset"
    HALF_CLOSE = "half-close"
    BLACKHOLE = "blackhole"
    BANDWIDTH = "bandwidth"


class FaultyProxy:
    """Forwards bytes subject to its fault; ``proxy_to`` makes one."""

    def __init__(self, host: str, port: int) -> None:
        self.fault = NetworkFault.NONE
        self.url = ""
        self.struck = 0
        """The number of times that the fault affected bytes."""
        self._upstream = (host, port)
        self._open: set[asyncio.StreamWriter] = set()

    def set_fault(self, fault: NetworkFault) -> None:
        """Change the fault, and cut all open connections."""
        self.fault = fault
        for writer in tuple(self._open):
            writer.transport.abort()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Forward one connection."""
        self._open.add(writer)
        try:
            if self.fault is NetworkFault.BLACKHOLE:
                self.struck += 1
                await asyncio.Event().wait()
            upstream_in, upstream_out = await asyncio.open_connection(*self._upstream)
            self._open.add(upstream_out)
            try:
                await asyncio.gather(self._forward(reader, upstream_out), self._forward_with_fault(upstream_in, writer))
            finally:
                self._open.discard(upstream_out)
                upstream_out.transport.abort()
        except OSError:
            pass
        finally:
            self._open.discard(writer)
            writer.transport.abort()

    async def _forward(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while chunk := await source.read(CHUNK):
            sink.write(chunk)
            await sink.drain()
        with suppress(OSError):
            sink.write_eof()

    async def _forward_with_fault(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while chunk := await source.read(CHUNK):
            self.struck += self.fault is not NetworkFault.NONE
            match self.fault:
                case NetworkFault.LATENCY:
                    await asyncio.sleep(0.3)
                    sink.write(chunk)
                case NetworkFault.DRIP:
                    await _in_pieces(chunk, sink, 1, 0.2)
                case NetworkFault.BANDWIDTH:
                    await _in_pieces(chunk, sink, 200, 0.05)
                case NetworkFault.RESET:
                    _reset(sink)
                case NetworkFault.HALF_CLOSE:
                    sink.write(chunk[: len(chunk) // 2])
                    sink.write_eof()
                    return
                case NetworkFault.BLACKHOLE:
                    continue
                case NetworkFault.NONE:
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
async def proxy_to(url: str) -> AsyncIterator[FaultyProxy]:
    """Run a proxy in front of this server while the block runs."""
    parts = urlsplit(url)
    assert parts.hostname
    assert parts.port
    proxy = FaultyProxy(parts.hostname, parts.port)
    tasks: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(proxy.serve(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    proxy.url = urlunsplit(parts._replace(netloc=f"127.0.0.1:{port}"))
    try:
        yield proxy
    finally:
        await end_accepting(server)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
