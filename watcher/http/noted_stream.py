"""Network streams that note the arrival of the first byte of an answer; the library's trace does not show it."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterable
from contextvars import ContextVar
from typing import Any, Final

import httpcore2
import httpx2 as httpx

ON_BYTES: Final[ContextVar[Callable[[], None] | None]] = ContextVar("ON_BYTES", default=None)
"""Called in the task of an attempt each time that bytes arrive for it."""


class NotedStream(httpcore2.AsyncNetworkStream):
    """Passes everything on, and notes received bytes."""

    def __init__(self, stream: httpcore2.AsyncNetworkStream) -> None:
        self._stream = stream

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109 - the library's signature
        """Read, and note bytes."""
        data = await self._stream.read(max_bytes, timeout)
        if data and (note := ON_BYTES.get()) is not None:
            note()
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109 - the library's signature
        """Write."""
        await self._stream.write(buffer, timeout)

    async def aclose(self) -> None:
        """Close."""
        await self._stream.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - the library's signature
    ) -> httpcore2.AsyncNetworkStream:
        """Return the stream inside TLS."""
        return NotedStream(await self._stream.start_tls(ssl_context, server_hostname, timeout))

    def get_extra_info(self, info: str) -> Any:  # noqa: ANN401 - the library's signature
        """Return a fact about the connection."""
        return self._stream.get_extra_info(info)


class NotedBackend(httpcore2.AsyncNetworkBackend):
    """Opens noted streams through another backend."""

    def __init__(self, backend: httpcore2.AsyncNetworkBackend) -> None:
        self._backend = backend

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the library's signature
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """Connect."""
        return NotedStream(await self._backend.connect_tcp(host, port, timeout, local_address, socket_options))

    async def sleep(self, seconds: float) -> None:
        """Sleep."""
        await self._backend.sleep(seconds)


def connect_through(
    transport: httpx.AsyncHTTPTransport, backend: httpcore2.AsyncNetworkBackend
) -> httpx.AsyncHTTPTransport:
    """Make a transport connect through a backend. The library has no public option; a test pins this way."""
    transport._pool._network_backend = NotedBackend(backend)  # noqa: SLF001 - see above
    return transport
