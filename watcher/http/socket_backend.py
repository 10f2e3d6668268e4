"""Opening connections: the addresses of a host, tried one after the other or together (RFC 8305)."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from asyncio.staggered import staggered_race
from collections.abc import Iterable, Sequence
from contextlib import suppress
from functools import partial
from itertools import zip_longest
from typing import Any, Final

import httpcore2

from watcher.http.attempt_trace import CURRENT
from watcher.http.socket_stream import SocketStream
from watcher.http.ssrf_guard import allowed_addresses

HEAD_START_SECONDS: Final = 0.25
"""How long an address is tried alone before the next one is tried too (RFC 8305, 5)."""


class SocketBackend(httpcore2.AsyncNetworkBackend):
    """Opens the connections of a pool; where it is ``guarded``, to allowed addresses only."""

    def __init__(self, *, guarded: bool) -> None:
        self._guarded = guarded

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ARG002, ASYNC109 - the library's signature
        local_address: str | None = None,  # noqa: ARG002 - as above
        socket_options: Iterable[Any] | None = None,  # noqa: ARG002 - as above
    ) -> httpcore2.AsyncNetworkStream:
        """Resolve the host once, and connect to the first address that answers.

        Raises:
            httpcore2.ConnectError: no address answers, or there is none.
        """
        attempt = CURRENT.get()
        attempt.begin_connecting(host, port)
        try:
            addresses = await (allowed_addresses if self._guarded else _all_addresses)(host, port)
        except (OSError, UnicodeError) as error:
            attempt.note_lookup_failure(error)
            # The pool drops the cause of an error, but not its arguments.
            raise httpcore2.ConnectError(error) from error
        return await _connect(in_turns(addresses), port)

    async def sleep(self, seconds: float) -> None:
        """Sleep."""
        await asyncio.sleep(seconds)


async def _all_addresses(host: str, port: int) -> list[str]:
    with suppress(ValueError):
        return [str(ipaddress.ip_address(host))]
    infos = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(info[4][0]) for info in infos))


def in_turns(addresses: Sequence[str]) -> list[str]:
    """Return addresses with IPv6 and IPv4 in turns, IPv6 first, so that one family that hangs costs little."""
    families = [[address for address in addresses if (":" in address) is is_v6] for is_v6 in (True, False)]
    return [address for pair in zip_longest(*families) for address in pair if address is not None]


async def _connect(addresses: Sequence[str], port: int) -> SocketStream:
    opened: list[SocketStream] = []

    async def open_one(address: str) -> SocketStream:
        _, stream = await asyncio.get_running_loop().create_connection(SocketStream, address, port)
        opened.append(stream)
        return stream

    winner: SocketStream | None = None
    try:
        winner, _, errors = await staggered_race(
            [partial(open_one, address) for address in addresses], HEAD_START_SECONDS
        )
    finally:
        for stream in opened:
            if stream is not winner:
                await stream.aclose()
    if winner is None:
        raise httpcore2.ConnectError(*errors)
    return winner
