"""Connect to allowed addresses only. A name is resolved once, and its forbidden addresses are left out."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterable
from typing import Any, Final

import httpcore2

from watcher.addresses import ForbiddenAddressError, forbidden_address_reason

FIRST_TRIES_SECONDS: Final = 3.0
"""The time limit for each address except the last."""

MAX_NAMED: Final = 3
"""Forbidden addresses in one message."""


class GuardedBackend(httpcore2.AsyncNetworkBackend):
    """Connects to the allowed addresses of a host, and rejects a host without any."""

    def __init__(self) -> None:
        self._backend = httpcore2.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the library's signature
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """Resolve, and connect to the first allowed address that answers."""
        try:
            addresses = await allowed_addresses(host, port)
        except (OSError, UnicodeError) as error:
            # The pool drops the cause of an error, but not its arguments.
            raise httpcore2.ConnectError(error) from error
        for address in addresses[:-1]:
            limit = FIRST_TRIES_SECONDS if timeout is None else min(timeout, FIRST_TRIES_SECONDS)
            try:
                return await self._backend.connect_tcp(address, port, limit, local_address, socket_options)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout):
                continue
        return await self._backend.connect_tcp(addresses[-1], port, timeout, local_address, socket_options)

    async def sleep(self, seconds: float) -> None:
        """Sleep."""
        await self._backend.sleep(seconds)


async def allowed_addresses(host: str, port: int) -> list[str]:
    """Resolve a host; return its allowed addresses, at least one.

    Raises:
        ForbiddenAddressError: all of its addresses are forbidden; the text names them.
        OSError: the name cannot be resolved.
    """
    infos = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    reasons = {str(info[4][0]): forbidden_address_reason(str(info[4][0])) for info in infos}
    allowed = [address for address, reason in reasons.items() if reason is None]
    if not allowed:
        named = list(reasons.items())[:MAX_NAMED]
        raise ForbiddenAddressError(", ".join(f"{address}: {reason}" for address, reason in named))
    return allowed
