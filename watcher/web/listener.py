"""Listening: uvicorn inside of our loop, which leaves the signals alone; an address that is taken is tried again."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

import structlog
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

log = structlog.get_logger()

RETRY_SECONDS: Final = 60.0
FIRST_REQUEST_SECONDS: Final = 10.0
"""A connection that has sent no whole request by then is closed."""
KEEP_ALIVE_SECONDS: Final = 30
CONNECTIONS_MAX: Final = 64
HEADER_BYTES_MAX: Final = 16_384
STEPS_OF_AN_ACCEPT: Final = 3
"""So many turns of the event loop pass until a connection that was just accepted is known to uvicorn."""


class Listener:
    """Serves an application at one address for as long as it runs."""

    def __init__(self, app: ASGIApp, host: str, port: int, *, retry_seconds: float = RETRY_SECONDS) -> None:
        self._app = app
        self._host = host
        self._port = port
        self._retry_seconds = retry_seconds
        self.port: int | None = None
        """Where it listens now."""

    async def run(self) -> None:
        """Serve until cancelled; never ends by itself."""
        warned = False
        while True:
            try:
                async with self._serving():
                    await asyncio.get_running_loop().create_future()
            except OSError as error:
                self._say(log.debug if warned else log.warning, error)
                warned = True
            except Exception:
                # Showing is beside the work: a fault here must not end it.
                log.exception("web.fault")
            await asyncio.sleep(self._retry_seconds)

    def _say(self, write: Callable[..., None], error: OSError) -> None:
        write(
            "web.not_listening",
            address=f"{self._host}:{self._port}",
            problem=error.strerror or str(error),
            remedy="set [web] listen to a free address; it is tried again once a minute",
        )

    @asynccontextmanager
    async def _serving(self) -> AsyncIterator[None]:
        with await _listen(self._host, self._port) as listener:
            server = _prepare(self._app)
            await server.startup(sockets=[listener])
            self.port = listener.getsockname()[1]
            log.info("web.listening", host=self._host, port=self.port)
            try:
                yield
            finally:
                self.port = None
                await _stop(server)


async def _listen(host: str, port: int) -> socket.socket:
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    family, _, _, _, address = found[0]
    return socket.create_server(address[:2], family=family, backlog=CONNECTIONS_MAX)


def _prepare(app: ASGIApp) -> uvicorn.Server:
    """Return a server that is ready to start; uvicorn's own ``serve`` would take the signals over."""
    config = uvicorn.Config(
        app,
        http=_Impatient,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        date_header=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        h11_max_incomplete_event_size=HEADER_BYTES_MAX,
    )
    config.load()
    server = uvicorn.Server(config)
    server.lifespan = config.lifespan_class(config)
    return server


class _Impatient(H11Protocol):
    """Takes so many connections and no more, and waits for a first request only so long."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        if len(self.connections) >= CONNECTIONS_MAX:
            transport.abort()
        super().connection_made(transport)
        self.loop.call_later(FIRST_REQUEST_SECONDS, self._hang_up)

    def _hang_up(self) -> None:
        # Once a request was taken, uvicorn's own limit for idle connections counts.
        cycle: object = self.cycle
        if cycle is None:
            self.transport.abort()


async def _stop(server: uvicorn.Server) -> None:
    for listening in server.servers:
        listening.close()
    for _ in range(STEPS_OF_AN_ACCEPT):
        await asyncio.sleep(0)
    while connections := list(server.server_state.connections):
        for connection in connections:
            connection.transport.abort()
        await asyncio.sleep(0)
    await asyncio.gather(*server.server_state.tasks, return_exceptions=True)
