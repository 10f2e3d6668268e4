"""Serving inside of our own loop: uvicorn, which leaves the signals alone and ends when it is told to."""

from __future__ import annotations

import asyncio
import socket
from typing import Final

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

STEPS_OF_AN_ACCEPT: Final = 3
"""So many turns of the event loop pass until a connection that was just accepted is known to uvicorn."""


def prepare(
    app: ASGIApp, protocol: type[H11Protocol], keep_alive_seconds: int, header_bytes_max: int | None = None
) -> uvicorn.Server:
    """Return a server that is ready to start; uvicorn's own ``serve`` would take the signals over."""
    config = uvicorn.Config(
        app,
        http=protocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        date_header=False,
        timeout_keep_alive=keep_alive_seconds,
        h11_max_incomplete_event_size=header_bytes_max,
    )
    config.load()
    server = uvicorn.Server(config)
    server.lifespan = config.lifespan_class(config)
    return server


async def listen(host: str, port: int, backlog: int) -> socket.socket:
    """Return a socket that listens at the first address of a name; raise ``OSError`` where that cannot be."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    family, _, _, _, address = found[0]
    return socket.create_server(address[:2], family=family, backlog=backlog)


async def stop(server: uvicorn.Server) -> None:
    """Stop at once: a request that hangs would never end by itself."""
    for listening in server.servers:
        listening.close()
    for _ in range(STEPS_OF_AN_ACCEPT):
        await asyncio.sleep(0)
    while connections := list(server.server_state.connections):
        for connection in connections:
            connection.transport.abort()
        await asyncio.sleep(0)
    await asyncio.gather(*server.server_state.tasks, return_exceptions=True)
