"""The web server: uvicorn in the daemon's event loop; an address that is in use is tried again."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from operator import itemgetter
from typing import ClassVar, Final

import h11
import structlog
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from watcher.asgi import listen, prepare, stop
from watcher.web.clients import TrustedProxies, limited_client

log = structlog.get_logger()

RETRY_SECONDS: Final = 60.0
REQUEST_SECONDS: Final = 10.0
"""A client that has not sent its whole request after this time is disconnected, also one that sends without end."""
READ_SECONDS: Final = 30.0
"""A client that has not read its answer, or its part of a stream, after this time is disconnected."""
SEND_BUFFER_BYTES: Final = 65_536
"""What the system keeps for a slow reader (Linux doubles it); by itself, it would keep several megabytes."""
KEEP_ALIVE_SECONDS: Final = 30
CONNECTIONS_MAX: Final = 64
CONNECTIONS_OF_ONE: Final = 16
"""Connections of one client that is no trusted proxy, so that it leaves some for others."""
HEADER_BYTES_MAX: Final = 16_384


class Listener:
    """Serves an application at one address while it runs."""

    def __init__(
        self,
        app: ASGIApp,
        host: str,
        port: int,
        *,
        trusted_proxies: Sequence[str] = (),
        retry_seconds: float = RETRY_SECONDS,
    ) -> None:
        self._app = app
        self._protocol = _protocol_with(TrustedProxies(trusted_proxies))
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
            server = prepare(self._app, self._protocol, KEEP_ALIVE_SECONDS, HEADER_BYTES_MAX)
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
    """Limits the number of connections, and the time that a client takes to send a request and to read an answer."""

    trusted_proxies: ClassVar[TrustedProxies]

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        # A client that is gone already has no address any more.
        self._host: str = (transport.get_extra_info("peername") or ("",))[0]
        self.limited_client = limited_client(self._host)
        if not self._has_place():
            transport.abort()
        super().connection_made(transport)
        self._request_deadline = _Deadline(self.loop, REQUEST_SECONDS, transport.abort)
        self._answer_deadline = _Deadline(self.loop, READ_SECONDS, transport.abort)
        # Every byte that the system's buffer does not take then counts as one that the client is slow to read.
        transport.set_write_buffer_limits(high=0)
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
        self._request_deadline.start()

    def _has_place(self) -> bool:
        """Return whether this connection may stay; the one that is idle the longest ends for it."""
        others = [item for item in self._others() if not _has_ended(item.transport)]
        if self._host not in self.trusted_proxies:
            same = [item for item in others if item.limited_client == self.limited_client]
            if len(same) >= CONNECTIONS_OF_ONE:
                return _end_an_idle_one(same)
        return len(others) < CONNECTIONS_MAX or _end_an_idle_one(others)

    def _others(self) -> Iterator[_LimitedProtocol]:
        return (item for item in self.connections if isinstance(item, _LimitedProtocol))

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        # From its first byte to its last: uvicorn limits only the time between two requests.
        if self.conn.their_state in {h11.IDLE, h11.SEND_BODY}:
            self._request_deadline.start()
        else:
            self._request_deadline.stop()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.conn.trailing_data[0]:
            # The beginning of the next request came with this one.
            self._request_deadline.start()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._answer_deadline.start()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._answer_deadline.stop()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._request_deadline.stop()
        self._answer_deadline.stop()


def _protocol_with(trusted: TrustedProxies) -> type[_LimitedProtocol]:
    class Protocol(_LimitedProtocol):
        trusted_proxies = trusted

    return Protocol


def _has_ended(transport: asyncio.Transport) -> bool:
    # One that closes counts until its client has read the rest: it still takes memory.
    return transport.is_closing() and not transport.get_write_buffer_size()


def _end_an_idle_one(connections: Sequence[_LimitedProtocol]) -> bool:
    """Close the connection that has waited the longest for its next request; return whether there was one."""
    idle = [
        (item.timeout_keep_alive_task.when(), item)
        for item in connections
        if item.timeout_keep_alive_task and not item.transport.get_write_buffer_size()
    ]
    if not idle:
        return False
    min(idle, key=itemgetter(0))[1].transport.close()
    return True


class _Deadline:
    """Acts once, unless it is stopped before."""

    def __init__(self, loop: asyncio.AbstractEventLoop, seconds: float, act: Callable[[], None]) -> None:
        self._loop = loop
        self._seconds = seconds
        self._act = act
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Start it, unless it runs already."""
        if self._timer is None:
            self._timer = self._loop.call_later(self._seconds, self._act)

    def stop(self) -> None:
        """Stop it; it may start again."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
