"""Requests for pages at a steady rate, and readers that take nothing."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Final

CONNECTIONS: Final = 12
"""The web listener has 16 for one address, and the benchmark reads metrics, too."""
RECEIVE_BYTES: Final = 2048
"""The buffer of a reader that takes nothing, so that few bytes fill it."""
PAGES_UNREAD: Final = 8
"""More than the buffers of the system take."""


@dataclass(frozen=True, slots=True)
class Visit:
    """One answer: the seconds from the time it was due to be asked for until its first byte, and its size."""

    first_byte_seconds: float
    size: int
    status: int


def visit_each(port: int, paths: Sequence[str]) -> list[Visit]:
    """Ask for pages, one after the other."""

    async def main() -> list[Visit]:
        connection = _Connection(port)
        return [await connection.visit(path, time.monotonic()) for path in paths]

    return asyncio.run(main())


def visit_at_rate(port: int, path: str, rate: float, seconds: float) -> list[Visit]:
    """Ask for a page so many times a second; a request that begins late counts from when it was due."""

    async def main() -> list[Visit]:
        numbers, begun, visits = count(), time.monotonic(), list[Visit]()
        async with asyncio.TaskGroup() as group:
            for _ in range(CONNECTIONS):
                group.create_task(_visit_in_turn(_Connection(port), path, _due(numbers, begun, rate, seconds), visits))
        return visits

    return asyncio.run(main())


def _due(numbers: Iterator[int], begun: float, rate: float, seconds: float) -> Iterator[float]:
    """Yield the times of the requests that no other connection has taken."""
    while (number := next(numbers)) < rate * seconds:
        yield begun + number / rate


async def _visit_in_turn(connection: _Connection, path: str, times: Iterator[float], visits: list[Visit]) -> None:
    for due in times:
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        visits.append(await connection.visit(path, due))


class _Connection:
    """A kept connection of one client."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def visit(self, path: str, due: float) -> Visit:
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._port)
        reader, writer = self._streams
        writer.write(request(path))
        status_line = await reader.readline()
        first_byte = time.monotonic() - due
        size, closes = 0, False
        while (line := await reader.readline()) not in {b"\r\n", b""}:
            name, _, value = line.lower().partition(b":")
            size = int(value) if name == b"content-length" else size
            closes = closes or (name == b"connection" and value.strip() == b"close")
        await reader.readexactly(size)
        if closes:
            writer.close()
            self._streams = None
        return Visit(first_byte, size, int(status_line.split()[1]))


def request(path: str) -> bytes:
    """Return the bytes of a request."""
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/html\r\n\r\n".encode()


class IdleReaders:
    """Readers that ask for pages and for the event stream, and read nothing."""

    def __init__(self, port: int, readers: int) -> None:
        self._sockets = [_idle(port) for _ in range(readers)]

    def dropped(self) -> int:
        """Return how many of them the watcher has disconnected, and close all."""
        ended = sum(map(_is_ended, self._sockets))
        for one in self._sockets:
            one.close()
        return ended


def _idle(port: int) -> socket.socket:
    made = socket.socket()
    # Before it connects, since the window is agreed on then.
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BYTES)
    # Of another address than the visits: the listener limits the connections of one.
    made.bind(("127.0.0.2", 0))
    made.connect(("127.0.0.1", port))
    made.sendall(PAGES_UNREAD * request("/") + request("/live?page=/"))
    return made


def _is_ended(one: socket.socket) -> bool:
    """Return whether the other side has closed a connection, behind what is unread."""
    one.settimeout(1.0)
    try:
        while one.recv(65536):
            pass
    except TimeoutError:
        return False
    except OSError:
        return True
    return True
