"""Connecting only where it is allowed: the name is resolved once, and what is connected to are the addresses found."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterable
from typing import Any, Final

import httpcore2
import httpx2 as httpx

from watcher.addresses import ForbiddenAddressError, forbidden_address_reason

FIRST_TRIES_SECONDS: Final = 3.0
"""How long each address but the last has to answer."""


class GuardedBackend(httpcore2.AsyncNetworkBackend):
    """Refuses a host of which any address is forbidden, before a connection is made."""

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
        """Resolve, check every address, and connect to the first that answers."""
        try:
            addresses = await checked_addresses(host, port)
        except (OSError, UnicodeError) as error:
            raise httpcore2.ConnectError(str(error)) from error
        for address in addresses[:-1]:
            patience = FIRST_TRIES_SECONDS if timeout is None else min(timeout, FIRST_TRIES_SECONDS)
            try:
                return await self._backend.connect_tcp(address, port, patience, local_address, socket_options)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout):
                continue
        return await self._backend.connect_tcp(addresses[-1], port, timeout, local_address, socket_options)

    async def sleep(self, seconds: float) -> None:
        """Sleep."""
        await self._backend.sleep(seconds)


async def checked_addresses(host: str, port: int) -> list[str]:
    """Resolve a host.

    Raises:
        ForbiddenAddressError: one of its addresses is not connected to.
        OSError: it cannot be resolved.
    """
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = list(dict.fromkeys(str(info[4][0]) for info in found))
    for address in addresses:
        if fault := forbidden_address_reason(address):
            raise ForbiddenAddressError(f"{address}: {fault}")
    return addresses


def guard(transport: httpx.AsyncHTTPTransport) -> httpx.AsyncHTTPTransport:
    """Let a transport connect through ``GuardedBackend``; it offers no way to say so, a test holds that this is one."""
    transport._pool._network_backend = GuardedBackend()  # noqa: SLF001 - see above
    return transport
