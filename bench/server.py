"""A server for the benchmark: AiTEMS, a webhook receiver and its own control, as one hand-written protocol.

It costs less than the clients that are measured, and it lives in a process of its own. ``python -m bench.server``
prints its port and ends with its standard input.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, cast
from urllib.parse import parse_qs, urlsplit

import uvloop

from bench.world import World

PREFIX: Final = "/api/v1/services"
HEAD_END: Final = b"\r\n\r\n"
LENGTH: Final = b"content-length:"
NO_CONTENT: Final = b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n"
NOT_FOUND: Final = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"


@dataclass(slots=True)
class Counts:
    """The requests so far, and the seconds from each change to its webhook."""

    polls: int = 0
    posts: int = 0
    events: int = 0
    moved: int = 0
    changed_at: dict[tuple[str, str, str], float] = field(default_factory=dict)
    latencies: list[float] = field(default_factory=list)
    starts: dict[str, list[float]] = field(default_factory=dict)
    """Monotonic times of the polls by path, while they are recorded."""


class BenchServer:
    """Answers requests; times are monotonic seconds."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.counts = Counts()
        self.records_starts = False

    def answer(self, method: bytes, target: str, body: bytes) -> bytes:
        """Return the whole answer to a request."""
        parts = urlsplit(target)
        if method == b"POST":
            return self._received(body) if parts.path == "/hook" else self._control(parts.path, body)
        return self._polled(parts.path, parts.query)

    def _polled(self, path: str, query: str) -> bytes:
        self.counts.polls += 1
        if self.records_starts:
            self.counts.starts.setdefault(path, []).append(time.monotonic())
        if path == PREFIX:
            return _ok(self.world.service_list())
        segments = path.removeprefix(PREFIX + "/").split("/")
        service = self.world.services.get(segments[0])
        if service is None:
            return NOT_FOUND
        if len(segments) == len(("service",)):
            return _ok(self.world.service_record(service.name))
        if len(segments) == len(("service", "trains")):
            return _ok(service.page(int(parse_qs(query).get("offset", ["0"])[0])))
        return _ok(service.view(int(segments[-1][1:])))

    def _received(self, body: bytes) -> bytes:
        self.counts.posts += 1
        if self.counts.changed_at:
            self._note_latency(json.loads(body))
        return NO_CONTENT

    def _note_latency(self, document: dict[str, object]) -> None:
        if "alerts" in document:
            self._note_alerts(cast("list[dict[str, dict[str, str]]]", document["alerts"]))
            return
        data = document["data"]
        events = data.get("events", [data]) if isinstance(data, dict) else []
        for event in events:
            key = (event.get("service"), event.get("version"), event.get("to"))
            changed_at = self.counts.changed_at.pop(key, None)
            if changed_at is not None:
                self.counts.latencies.append(time.monotonic() - changed_at)

    def _note_alerts(self, alerts: list[dict[str, dict[str, str]]]) -> None:
        """Note the alerts of Alertmanager, which name the address of a view and no status."""
        named = {tuple(alert["labels"]["instance"].split("/")) for alert in alerts}
        for key in list(self.counts.changed_at):
            if any(key[0] in parts and key[1] in parts for parts in named):
                self.counts.latencies.append(time.monotonic() - self.counts.changed_at.pop(key))

    def _control(self, path: str, body: bytes) -> bytes:
        commands: dict[str, Callable[[dict[str, float]], object]] = {
            "/bench/counts": lambda _: self._shown(),
            "/bench/move": lambda given: self._move(given["share"]),
            "/bench/move-one": lambda _: self._move_one(),
            "/bench/starts": lambda given: self._record_starts(on=bool(given["on"])),
        }
        return _ok(json.dumps(commands[path](json.loads(body or b"{}"))).encode())

    def _move(self, share: float) -> int:
        moved = self.world.move_on(share)
        self.counts.moved += moved
        return moved

    def _move_one(self) -> bool:
        moved = self.world.move_one()
        if moved is not None:
            self.counts.moved += 1
            self.counts.changed_at[moved] = time.monotonic()
        return moved is not None

    def _record_starts(self, *, on: bool) -> dict[str, list[float]]:
        recorded, self.counts.starts = self.counts.starts, {}
        self.records_starts = on
        return recorded

    def _shown(self) -> dict[str, object]:
        counts = self.counts
        return {
            "polls": counts.polls,
            "posts": counts.posts,
            "moved": counts.moved,
            "latencies": counts.latencies,
            "awaited": len(counts.changed_at),
        }


class Protocol(asyncio.Protocol):
    """Splits the bytes of one connection into requests; serves pipelined ones in order."""

    def __init__(self, server: BenchServer) -> None:
        self._server = server
        self._buffer = bytearray()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Answer every request that is complete."""
        self._buffer += data
        while (end := self._buffer.find(HEAD_END)) >= 0:
            head = bytes(self._buffer[:end])
            size = end + len(HEAD_END) + _body_length(head)
            if len(self._buffer) < size:
                return
            body = bytes(self._buffer[end + len(HEAD_END) : size])
            del self._buffer[:size]
            method, target, _ = head.split(b" ", 2)
            assert self._transport is not None  # noqa: S101 - set when the connection was made
            self._transport.write(self._server.answer(method, target.decode(), body))


def _body_length(head: bytes) -> int:
    if not head.startswith(b"POST"):
        return 0
    lowered = head.lower()
    at = lowered.find(LENGTH)
    return int(lowered[at + len(LENGTH) :].split(b"\r\n", 1)[0]) if at >= 0 else 0


def _ok(body: bytes) -> bytes:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
    return head + body


async def _serve(world: World) -> None:
    server = BenchServer(world)
    loop = asyncio.get_running_loop()
    listening = await loop.create_server(lambda: Protocol(server), "127.0.0.1", 0, backlog=1024)
    print(listening.sockets[0].getsockname()[1], flush=True)  # noqa: T201 - read by the benchmark
    await loop.run_in_executor(None, sys.stdin.read)
    listening.close()


def main() -> None:
    """Serve until standard input ends."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--services", type=int, default=1)
    parser.add_argument("--trainings", type=int, default=1000)
    given = parser.parse_args()
    uvloop.run(_serve(World(given.services, given.trainings)))


if __name__ == "__main__":
    main()
