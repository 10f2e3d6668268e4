"""Kept connections: each one belongs to a single request until its answer is read.

The library makes the connections, also those through a proxy, and speaks HTTP on them. Its own pool walks over all
connections twice a request (decision 14).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

import httpcore2

T = TypeVar("T")

SCHEMES: Final = (b"http", b"https")


class ConnectionPool:
    """At most ``limit`` connections, in use or kept; a request beyond them waits for its turn.

    Args:
        library: makes the connections.
        limit: the most connections.
        keep_alive: whether a connection is kept after its answer.
    """

    def __init__(self, library: httpcore2.AsyncConnectionPool, limit: int, *, keep_alive: bool) -> None:
        self._library = library
        self._limit = limit
        self._keep_alive = keep_alive
        self._places = asyncio.Semaphore(limit)
        self._in_use = 0
        self._kept: list[httpcore2.AsyncConnectionInterface] = []
        """The one that was used last is at the end."""

    async def exchange(self, request: httpcore2.Request, read: Callable[[httpcore2.Response], Awaitable[T]]) -> T:
        """Send a request and read its answer; the connection is closed unless the whole answer was read.

        Raises:
            Exception: any error of the library or of ``read``.
        """
        if request.url.scheme not in SCHEMES:
            raise httpcore2.UnsupportedProtocol(f"not a scheme of HTTP: {request.url.scheme!r}")
        async with self._places:
            connection = await self._take(request.url.origin)
            self._in_use += 1
            try:
                response = await connection.handle_async_request(request)
                try:
                    return await read(response)
                finally:
                    await response.aclose()
            finally:
                self._in_use -= 1
                await self._give_back(connection)

    async def _take(self, origin: httpcore2.Origin) -> httpcore2.AsyncConnectionInterface:
        while self._kept and self._kept[0].has_expired():
            await self._kept.pop(0).aclose()
        for connection in reversed(self._kept):
            if connection.can_handle_request(origin):
                self._kept.remove(connection)
                if not (connection.is_closed() or connection.has_expired()):
                    return connection
                await connection.aclose()
        if self._kept and self._in_use + len(self._kept) >= self._limit:
            await self._kept.pop(0).aclose()
        return self._library.create_connection(origin)

    async def _give_back(self, connection: httpcore2.AsyncConnectionInterface) -> None:
        """Keep a connection that is ready for another request, or else close it.

        Nothing here waits, so that the end of a cancelled request is complete.
        """
        if self._keep_alive and connection.is_idle() and not connection.is_closed():
            self._kept.append(connection)
        else:
            await connection.aclose()

    async def aclose(self) -> None:
        """Close the kept connections."""
        while self._kept:
            await self._kept.pop().aclose()
