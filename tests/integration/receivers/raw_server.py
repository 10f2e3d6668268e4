"""A server that reads one complete request and then sends exactly the given bytes, or none."""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from watcher.accepting import end_accepting


@dataclass(slots=True)
class RawServer:
    """Its address, and every request as bytes."""

    url: str
    requests: list[bytes] = field(default_factory=list)


@asynccontextmanager
async def answering(answer: bytes, *, hangs: bool = False) -> AsyncIterator[RawServer]:
    """Answer each request with ``answer``, and close the connection or let it hang."""
    done = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server.requests.append(await _request(reader))
        writer.write(answer)
        await writer.drain()
        if hangs:
            await done.wait()
        writer.close()

    listener = await asyncio.start_server(serve, "127.0.0.1", 0)
    server = RawServer(f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}/hooks/aitems")
    async with listener:
        yield server
        done.set()
        await end_accepting(listener)


async def _request(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    length = re.search(rb"(?i)content-length: *([0-9]+)", head)
    return head + (await reader.readexactly(int(length[1])) if length else b"")


def refusing_url() -> str:
    """Return an address where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"http://127.0.0.1:{listener.getsockname()[1]}/hooks/aitems"
