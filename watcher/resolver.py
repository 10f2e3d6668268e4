"""Resolve names in daemon threads: one thread for each open query, which does not delay the end of the process.

The system's resolver can take half a minute for a name whose servers are silent, and cannot be cancelled. Event loops
run it on a few shared threads, so a few lookups of an unreachable name would block every other name.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from contextlib import suppress
from typing import Any, cast

AddressInfo = list[Any]
"""The result of ``socket.getaddrinfo``."""
Query = tuple[bytes | str | None, bytes | str | int | None, int, int, int, int]
"""Host, port, family, type, protocol, flags."""


class ThreadedResolver(asyncio.AbstractEventLoop):
    """The lookups of an event loop, with one thread for each different open query."""

    def __init__(self) -> None:
        super().__init__()
        self._open: dict[Query, asyncio.Future[AddressInfo]] = {}

    async def getaddrinfo(  # noqa: PLR0913 - the loop's signature
        self,
        host: bytes | str | None,
        port: bytes | str | int | None,
        *,
        family: int = 0,
        type: int = 0,  # noqa: A002 - as above
        proto: int = 0,
        flags: int = 0,
    ) -> AddressInfo:
        """Return the addresses of a name.

        Raises:
            OSError: the lookup failed.
        """
        query = (host, port, family, type, proto, flags)
        # Shielded, since other callers may wait for the same result.
        return await asyncio.shield(self._open.get(query) or self._start(query))

    def _start(self, query: Query) -> asyncio.Future[AddressInfo]:
        result = self.create_future()
        threading.Thread(target=self._resolve, args=(query, result), name="resolver", daemon=True).start()
        self._open[query] = result
        result.add_done_callback(lambda _: self._open.pop(query))
        return result

    def _resolve(self, query: Query, result: asyncio.Future[AddressInfo]) -> None:
        try:
            found, error = socket.getaddrinfo(*query), None
        except Exception as caught:  # noqa: BLE001 - every error goes to the caller, who would wait for ever without a result
            found, error = [], caught
        # The loop may be closed by now.
        with suppress(RuntimeError):
            self.call_soon_threadsafe(_complete, result, found, error)


def _complete(result: asyncio.Future[AddressInfo], found: AddressInfo, error: Exception | None) -> None:
    if error is None:
        result.set_result(found)
        return
    result.set_exception(error)
    # Callers may have left at their deadline. Reading the error here avoids asyncio's warning about it.
    result.exception()


def with_threaded_resolver(loop: type[asyncio.AbstractEventLoop]) -> type[asyncio.AbstractEventLoop]:
    """Return the loop class with these lookups."""
    return cast("type[asyncio.AbstractEventLoop]", type(loop.__name__, (ThreadedResolver, loop), {}))
