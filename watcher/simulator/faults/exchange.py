"""One request with a fault: its honest answer, and the means to answer otherwise."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Final

from starlette.types import Receive, Send

from watcher.simulator.calls import SimulatedAnswer
from watcher.simulator.faults.plan import Fault
from watcher.simulator.responses import JSON, http_date, to_json

_CLOSE_WITH_RESET: Final = struct.pack("ii", 1, 0)
"""SO_LINGER on, zero seconds: closing sends RST instead of FIN."""


class ClientGoneError(Exception):
    """The client closed the connection, or the simulator stopped, during an answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """The tools of a fault; each fault is one function with this argument."""

    fault: Fault
    server_now: datetime
    """The simulator's own time in UTC, with its clock offset."""
    honest: Callable[[float], SimulatedAnswer]
    """Returns the honest answer of so many seconds ago; 0 is now."""
    transport: asyncio.Transport
    receive: Receive
    send: Send

    async def reply(
        self, http_status: int, body: bytes, content_type: str = JSON, headers: Mapping[str, str] | None = None
    ) -> None:
        """Answer in valid HTTP; a ``date`` in the headers replaces the true one."""
        defaults = {"content-length": str(len(body)), "content-type": content_type}
        await self.start(http_status, defaults | dict(headers or {}))
        await self.send({"type": "http.response.body", "body": body})

    async def reply_json(self, answer: SimulatedAnswer, headers: Mapping[str, str] | None = None) -> None:
        """Answer with a JSON document."""
        await self.reply(answer.http_status, to_json(answer.document), headers=headers)

    async def start(self, http_status: int, headers: Mapping[str, str]) -> None:
        """Send the status line and the headers; an empty ``date`` omits the field."""
        fields = {"date": http_date(self.server_now), **headers}
        raw = [(name.encode(), value.encode("latin-1")) for name, value in fields.items() if value]
        await self.send({"type": "http.response.start", "status": http_status, "headers": raw})

    async def stream(self, chunk: bytes) -> None:
        """Send a part of the body, more to come.

        Raises:
            ClientGoneError: the connection is closed.
        """
        await self.send({"type": "http.response.body", "body": chunk, "more_body": True})
        if self.transport.is_closing():
            raise ClientGoneError

    async def end(self) -> None:
        """End a body that was streamed."""
        await self.send({"type": "http.response.body", "body": b""})

    def honest_bytes(self) -> tuple[int, bytes]:
        """Return the status and body of the honest answer."""
        answer = self.honest(0)
        return answer.http_status, to_json(answer.document)

    def raw_head(self, http_status: int, length: int) -> bytes:
        """Return a status line and headers as bytes of HTTP/1.1."""
        lines = (
            f"HTTP/1.1 {http_status} {HTTPStatus(http_status).phrase}",
            f"date: {http_date(self.server_now)}",
            f"content-type: {JSON}",
            f"content-length: {length}",
            "connection: close",
        )
        return "\r\n".join(lines).encode() + b"\r\n\r\n"

    def write(self, raw: bytes) -> None:
        """Send bytes below the HTTP layer."""
        self.transport.write(raw)

    async def close(self) -> None:
        """Close the connection normally (FIN)."""
        self.transport.close()
        await self._until_gone()

    async def reset(self) -> None:
        """Reset the connection (RST)."""
        connection: socket.socket = self.transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _CLOSE_WITH_RESET)
        await self.drop_connection()

    async def drop_connection(self) -> None:
        """Drop the connection with all unsent bytes."""
        self.transport.abort()
        await self._until_gone()

    async def wait(self, seconds: float | None = None) -> None:
        """Wait; without ``seconds``, until the client closes the connection.

        Raises:
            ClientGoneError: the client closed the connection, or the simulator stopped.
        """
        try:
            async with asyncio.timeout(seconds):
                await self._until_gone()
        except TimeoutError:
            return
        raise ClientGoneError

    async def _until_gone(self) -> None:
        while (await self.receive())["type"] != "http.disconnect":
            pass

    def retry_after(self) -> dict[str, str]:
        """Return the fault's Retry-After header, or no header."""
        if self.fault.retry_after_date_seconds is not None:
            return {"retry-after": http_date(self.server_now + timedelta(seconds=self.fault.retry_after_date_seconds))}
        return {} if self.fault.retry_after is None else {"retry-after": self.fault.retry_after}
