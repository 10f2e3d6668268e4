"""One request that is about to go wrong: what would have been answered, and the means to do something else."""

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

from watcher.simulator.calls import Answer
from watcher.simulator.faults.plan import Fault
from watcher.simulator.responses import JSON, http_date, to_json

_CLOSE_WITH_RESET: Final = struct.pack("ii", 1, 0)
"""SO_LINGER on, zero seconds: closing sends RST instead of FIN."""


class ClientGoneError(Exception):
    """The client hung up, or the simulator stops, while an answer was on its way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """What a fault has at hand; each fault is one function over this."""

    fault: Fault
    server_now: datetime
    """The simulator's own time, UTC, its clock offset included."""
    honest: Callable[[float], Answer]
    """Gives what would have been answered so many seconds ago; 0 is now."""
    transport: asyncio.Transport
    receive: Receive
    send: Send

    async def reply(
        self, http_status: int, body: bytes, content_type: str = JSON, headers: Mapping[str, str] | None = None
    ) -> None:
        """Answer in good HTTP; a ``date`` among the headers takes the place of the right one."""
        described = {"content-length": str(len(body)), "content-type": content_type}
        await self.start(http_status, described | dict(headers or {}))
        await self.send({"type": "http.response.body", "body": body})

    async def reply_json(self, answer: Answer, headers: Mapping[str, str] | None = None) -> None:
        """Answer with a JSON document."""
        await self.reply(answer.http_status, to_json(answer.document), headers=headers)

    async def start(self, http_status: int, headers: Mapping[str, str]) -> None:
        """Send the status line and the headers; an empty ``date`` means none at all."""
        told = {"date": http_date(self.server_now), **headers}
        raw = [(name.encode(), value.encode("latin-1")) for name, value in told.items() if value]
        await self.send({"type": "http.response.start", "status": http_status, "headers": raw})

    async def stream(self, chunk: bytes) -> None:
        """Send a part of the body, more to come.

        Raises:
            ClientGoneError: nobody takes it any more.
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
        """Return a status line and headers as they go over the wire."""
        lines = (
            f"HTTP/1.1 {http_status} {HTTPStatus(http_status).phrase}",
            f"date: {http_date(self.server_now)}",
            f"content-type: {JSON}",
            f"content-length: {length}",
            "connection: close",
        )
        return "\r\n".join(lines).encode() + b"\r\n\r\n"

    def write(self, raw: bytes) -> None:
        """Put bytes on the wire past everything that knows HTTP."""
        self.transport.write(raw)

    async def close(self) -> None:
        """Close the connection in good order (FIN)."""
        self.transport.close()
        await self._until_gone()

    async def reset(self) -> None:
        """Break the connection off (RST)."""
        connection: socket.socket = self.transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _CLOSE_WITH_RESET)
        await self.expire_orphans()

    async def expire_orphans(self) -> None:
        """Drop the connection and everything that is still to be sent."""
        self.transport.abort()
        await self._until_gone()

    async def wait(self, seconds: float | None = None) -> None:
        """Let time pass; without a figure until the client hangs up.

        Raises:
            ClientGoneError: the client hung up, or the simulator stops.
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
        """Return the Retry-After header that the fault asks for, or none."""
        if self.fault.retry_after_date_seconds is not None:
            return {"retry-after": http_date(self.server_now + timedelta(seconds=self.fault.retry_after_date_seconds))}
        return {} if self.fault.retry_after is None else {"retry-after": self.fault.retry_after}
