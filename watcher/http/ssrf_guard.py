"""Refuse forbidden addresses. The name is resolved once, and only the checked addresses are connected to."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterable
from typing import Any, Final

import httpcore2

from watcher.addresses import ForbiddenAddressError, forbidden_address_reason

FIRST_TRIES_SECONDS: Final = 3.0
"""The time limit for each address except the last."""


class GuardedBackend(httpcore2.AsyncNetworkBackend):
    """Rejects a host with any forbidden address before it connects."""

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
            limit = FIRST_TRIES_SECONDS if timeout is None else min(timeout, FIRST_TRIES_SECONDS)
            try:
                return await self._backend.connect_tcp(address, port, limit, local_address, socket_options)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout):
                continue
        return await self._backend.connect_tcp(addresses[-1], port, timeout, local_address, socket_options)

    async def sleep(self, seconds: float) -> None:
        """Sleep."""
        await self._backend.sleep(seconds)


async def checked_addresses(host: str, port: int) -> list[str]:
    """Resolve a host.

    Raises:
        ForbiddenAddressError: one of its addresses is forbidden.
        OSError: the name cannot be resolved.
    """
    infos = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = list(dict.fromkeys(str(info[4][0]) for info in infos))
    for address in addresses:
        if fault := forbidden_address_reason(address):
            raise ForbiddenAddressError(f"{address}: {fault}")
    return addresses
