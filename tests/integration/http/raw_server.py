"""A server on bare sockets with the behaviour of the test; it keeps the received requests."""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from watcher.accepting import end_accepting

HEAD_END = b"\r\n\r\n"


class Exchange:
    """One connection on the server's side."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, received: list[bytes]) -> None:
        self.reader = reader
        self.writer = writer
        self.received = received

    async def read_head(self) -> bytes:
        head = await self.reader.readuntil(HEAD_END)
        self.received.append(head)
        return head

    async def write(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def answer(self, body: bytes = b"{}", *, status: str = "200 OK", head: str = "") -> None:
        await self.write(f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{head}\r\n".encode() + body)

    def reset(self) -> None:
        """Close the connection with RST instead of FIN."""
        raw: socket.socket = self.writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


Behaviour = Callable[[Exchange], Awaitable[None]]


class RawServer:
    """The server, as tests use it."""

    def __init__(self) -> None:
        self.port = 0
        self.received: list[bytes] = []
        """The heads of the requests, byte for byte."""
        self.connections = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def request_lines(self) -> list[str]:
        return [head.split(b"\r\n", 1)[0].decode("latin-1") for head in self.received]


@asynccontextmanager
async def raw_server(behave: Behaviour, tls: ssl.SSLContext | None = None) -> AsyncIterator[RawServer]:
    server = RawServer()
    tasks: set[asyncio.Task[None]] = set()
    transports: set[asyncio.WriteTransport] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        transports.add(writer.transport)
        server.connections += 1
        try:
            await behave(Exchange(reader, writer, server.received))
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError, ssl.SSLError):
            pass
        finally:
            writer.close()

    listener = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    server.port = listener.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        await end_accepting(listener)
        for task in tasks:
            task.cancel()
        for transport in transports:
            transport.abort()
        await asyncio.gather(*tasks, return_exceptions=True)
        await listener.wait_closed()


async def forever() -> None:
    await asyncio.Event().wait()
