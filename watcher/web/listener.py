"""The web server: uvicorn in the daemon's event loop; an address that is in use is tried again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

import structlog
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from watcher.asgi import listen, prepare, stop

log = structlog.get_logger()

RETRY_SECONDS: Final = 60.0
FIRST_REQUEST_SECONDS: Final = 10.0
"""A connection without a complete request is closed after this time."""
KEEP_ALIVE_SECONDS: Final = 30
CONNECTIONS_MAX: Final = 64
HEADER_BYTES_MAX: Final = 16_384


class Listener:
    """Serves an application at one address while it runs."""

    def __init__(self, app: ASGIApp, host: str, port: int, *, retry_seconds: float = RETRY_SECONDS) -> None:
        self._app = app
        self._host = host
        self._port = port
        self._retry_seconds = retry_seconds
        self.port: int | None = None
        """The port on which it listens now."""
        self.first_started = asyncio.Event()
        """Set once it has listened for the first time."""
        self.problem: str | None = None
        """The reason why it does not listen; ``None`` while it does, and before the first attempt."""

    async def run(self) -> None:
        """Serve until cancelled; a fault is logged and the server starts again."""
        warned = False
        while True:
            try:
                async with self._serving():
                    await asyncio.get_running_loop().create_future()
            except OSError as error:
                self._note_not_listening(log.debug if warned else log.warning, error)
                warned = True
            except Exception:
                # A fault of the web server must not end the watcher.
                self.problem = f"the web server at {self._address} crashed; see the log at web.crashed"
                log.exception("web.crashed")
            await asyncio.sleep(self._retry_seconds)

    @property
    def _address(self) -> str:
        return f"{self._host}:{self._port}"

    def _note_not_listening(self, write: Callable[..., None], error: OSError) -> None:
        # Python adds the address to the text of the error.
        reason = (error.strerror or str(error)).partition(" (while attempting")[0]
        self.problem = f"/healthz, /readyz and /metrics are not served: cannot listen on {self._address}: {reason}"
        write(
            "web.not_listening",
            address=self._address,
            problem=reason,
            remedy="set [web] listen to a free address; the watcher tries again once a minute",
        )

    @asynccontextmanager
    async def _serving(self) -> AsyncIterator[None]:
        with await listen(self._host, self._port, CONNECTIONS_MAX) as listener:
            server = prepare(self._app, _LimitedProtocol, KEEP_ALIVE_SECONDS, HEADER_BYTES_MAX)
            await server.startup(sockets=[listener])
            self.port, self.problem = listener.getsockname()[1], None
            self.first_started.set()
            log.info("web.started", host=self._host, port=self.port)
            try:
                yield
            finally:
                self.port = None
                await stop(server)


class _LimitedProtocol(H11Protocol):
    """Limits the number of connections, and the wait for the first request of each."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        if len(self.connections) >= CONNECTIONS_MAX:
            transport.abort()
        super().connection_made(transport)
        self.loop.call_later(FIRST_REQUEST_SECONDS, self._close_without_request)

    def _close_without_request(self) -> None:
        # After the first request, uvicorn's own limit for idle connections applies.
        cycle: object = self.cycle
        if cycle is None:
            self.transport.abort()
