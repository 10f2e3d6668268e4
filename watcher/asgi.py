"""Serve an ASGI application in the running event loop: uvicorn without its signal handlers."""

from __future__ import annotations

import asyncio
import socket

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from watcher.accepting import end_accepting


def prepare(
    app: ASGIApp, protocol: type[H11Protocol], keep_alive_seconds: int, header_bytes_max: int | None = None
) -> uvicorn.Server:
    """Return a server that is ready to start; uvicorn's own ``serve`` would replace the signal handlers."""
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
    """Return a socket that listens at the first address of a host name.

    Raises:
        OSError: the name has no address, or the address cannot be used.
    """
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    family, _, _, _, address = found[0]
    return socket.create_server(address[:2], family=family, backlog=backlog)


async def stop(server: uvicorn.Server) -> None:
    """Stop at once and abort every connection: a request that hangs would never end."""
    # Close the listeners first, then abort: no connection may remain after this.
    for listener in server.servers:
        await end_accepting(listener)
    while connections := list(server.server_state.connections):
        for connection in connections:
            connection.transport.abort()
        await asyncio.sleep(0)
    await asyncio.gather(*server.server_state.tasks, return_exceptions=True)
