"""A server that ends knows each connection that it accepted."""

from __future__ import annotations

import asyncio
import socket

import pytest

from watcher.accepting import end_accepting


@pytest.mark.parametrize("iterations", range(8))
async def test_a_connection_accepted_as_a_server_ends_is_known_or_refused(iterations: int) -> None:
    known: list[asyncio.StreamWriter] = []
    server = await asyncio.start_server(lambda _reader, writer: known.append(writer), "127.0.0.1", 0)
    with socket.create_connection(server.sockets[0].getsockname()) as peer:
        for _ in range(iterations):
            await asyncio.sleep(0)
        await end_accepting(server)
        for writer in known:
            writer.transport.abort()
        await asyncio.sleep(0)

        assert await asyncio.to_thread(_is_closed, peer)


def _is_closed(peer: socket.socket) -> bool:
    peer.settimeout(1)
    try:
        return peer.recv(1) == b""
    except ConnectionResetError:
        return True
    except TimeoutError:
        return False
