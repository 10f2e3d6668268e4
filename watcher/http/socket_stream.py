"""Connections for the HTTP library on the event loop's own transports.

Those of the library yield to the loop and open a cancel scope at each read and write, which costs more than the rest of
a call (decision 14). Their time limits are not used: the deadline of a call covers all of it.
"""

from __future__ import annotations

import asyncio
import select
import ssl
from typing import Any, Final, cast

import httpcore2

from watcher.http.attempt_trace import CURRENT

MAX_UNREAD_BYTES: Final = 256 * 1024
"""Received bytes that wait to be read; beyond them the peer waits."""
MAX_UNSENT_BYTES: Final = 64 * 1024
"""Written bytes that wait for more, so that the head and the body of a request leave in one call of the system."""


class SocketStream(asyncio.Protocol, httpcore2.AsyncNetworkStream):
    """One connection, plain or inside TLS; it tells the attempt of the current task what happens on it."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport
        self._unread = bytearray()
        self._unsent = bytearray()
        self._reading = True
        self._ended = False
        self._error: Exception | None = None
        self._arrival: asyncio.Future[None] | None = None
        self._room: asyncio.Future[None] | None = None
        self._poll = select.poll()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the loop's transport."""
        self._transport = cast("asyncio.Transport", transport)
        self._poll.register(transport.get_extra_info("socket").fileno(), select.POLLIN)

    def data_received(self, data: bytes) -> None:
        """Keep bytes until they are read."""
        self._unread += data
        if self._reading and len(self._unread) > MAX_UNREAD_BYTES:
            self._reading = False
            self._transport.pause_reading()
        _wake(self._arrival)

    def eof_received(self) -> None:
        """Note the end; the loop then closes the connection."""
        self._ended = True
        _wake(self._arrival)

    def connection_lost(self, exc: Exception | None) -> None:
        """Note the end and its reason."""
        self._ended = True
        self._error = exc
        _wake(self._arrival)
        _wake(self._room)

    def pause_writing(self) -> None:
        """Make writers wait."""
        self._room = asyncio.get_running_loop().create_future()

    def resume_writing(self) -> None:
        """Let writers go on."""
        _wake(self._room)
        self._room = None

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002, ASYNC109 - the library's
        """Return received bytes, or none at the end.

        Raises:
            httpcore2.ReadError: the connection broke.
        """
        self._send()
        if not self._unread and not self._ended:
            self._arrival = asyncio.get_running_loop().create_future()
            await self._arrival
        if self._unread:
            CURRENT.get().note_bytes()
            return self._take(max_bytes)
        if self._error is not None:
            raise httpcore2.ReadError(self._error)
        return b""

    def _take(self, max_bytes: int) -> bytes:
        data = bytes(self._unread[:max_bytes])
        del self._unread[:max_bytes]
        if not self._reading and not self._transport.is_closing():
            self._reading = True
            self._transport.resume_reading()
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002, ASYNC109 - the library's
        """Send bytes: with the next read, or at the end of this turn of the loop.

        Raises:
            httpcore2.WriteError: the connection is closed; some of the bytes may have left.
        """
        if not buffer:
            return
        CURRENT.get().begin_writing(buffer)
        if not self._unsent:
            # Not only with the next read: an answer that was read before would leave the request behind.
            asyncio.get_running_loop().call_soon(self._send)
        self._unsent += buffer
        if len(self._unsent) > MAX_UNSENT_BYTES:
            self._send()
            if self._room is not None:
                await self._room
        if self._transport.is_closing():
            raise httpcore2.WriteError(self._error)

    def _send(self) -> None:
        unsent, self._unsent = self._unsent, bytearray()
        # A closing transport drops the bytes and logs a warning.
        if unsent and not self._transport.is_closing():
            self._transport.write(unsent)

    async def aclose(self) -> None:
        """Close at once."""
        self._transport.abort()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ARG002, ASYNC109 - the library's signature
    ) -> httpcore2.AsyncNetworkStream:
        """Return the connection inside TLS; it closes where the handshake fails.

        Raises:
            httpcore2.ConnectError: the handshake failed.
        """
        CURRENT.get().begin_tls()
        self._send()
        # A stream of its own: bytes that came before the handshake are not from the peer that it proves.
        inside = SocketStream()
        loop = asyncio.get_running_loop()
        try:
            transport = await loop.start_tls(self._transport, inside, ssl_context, server_hostname=server_hostname)
        except BaseException as error:
            self._transport.abort()
            if isinstance(error, OSError):
                # The pool drops the cause of an error, but not its arguments.
                raise httpcore2.ConnectError(error) from error
            raise
        inside.connection_made(cast("asyncio.Transport", transport))
        return inside

    def get_extra_info(self, info: str) -> Any:  # noqa: ANN401 - the library's signature
        """Return a fact about the connection that the library asks for."""
        match info:
            case "is_readable":
                # The loop may not have read yet what has arrived.
                return bool(self._unread) or self._ended or bool(self._poll.poll(0))
            case "ssl_object":
                return self._transport.get_extra_info("ssl_object")
            case _:
                return None


def _wake(waiter: asyncio.Future[None] | None) -> None:
    if waiter is not None and not waiter.done():
        waiter.set_result(None)
