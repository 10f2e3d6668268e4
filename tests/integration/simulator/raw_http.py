"""A small HTTP client on bare sockets, which shows the received bytes, with its own signer."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import io
import json
import socket
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from http.client import HTTPResponse
from typing import Any

from watcher.simulator import SIMULATOR_ACCESS_KEY, SIMULATOR_SECRET_KEY, Running

API = "/api/v1"


@dataclass(frozen=True)
class Answer:
    """A complete received answer."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        """Return the body, which must be JSON."""
        return json.loads(self.body)


class _Recording:
    """A replacement for the socket of ``HTTPResponse``."""

    def __init__(self, raw: bytes) -> None:
        self._raw = raw

    def makefile(self, _mode: str) -> io.BytesIO:
        return io.BytesIO(self._raw)


def parse(raw: bytes) -> Answer:
    """Parse an answer; a truncated body raises ``http.client.IncompleteRead``."""
    response = HTTPResponse(_Recording(raw))  # type: ignore[arg-type]  # only makefile is used
    response.begin()
    headers = {name.lower(): value for name, value in response.getheaders()}
    return Answer(response.status, headers, response.read())


def sign(
    uri: str,
    now: datetime,
    *,
    method: str = "GET",
    access_key: str = SIMULATOR_ACCESS_KEY,
    secret_key: str = SIMULATOR_SECRET_KEY,
) -> dict[str, str]:
    """Return the required headers of a call to AiTEMS."""
    timestamp = str(int(now.timestamp() * 1000))
    message = f"{method} {uri}\n{timestamp}\n{access_key}"
    digest = hmac.new(secret_key.encode(), message.encode(), hashlib.sha256).digest()
    return {
        "x-ncp-apigw-timestamp": timestamp,
        "x-ncp-iam-access-key": access_key,
        "x-ncp-apigw-signature-v2": base64.b64encode(digest).decode(),
        "content-type": "application/json",
    }


@dataclass(frozen=True)
class Wire:
    """All bytes of an answer, and whether the connection was reset."""

    raw: bytes
    was_reset: bool


@asynccontextmanager
async def connection_to(
    running: Running, target: str, headers: dict[str, str], method: str = "GET", body: bytes = b""
) -> AsyncIterator[socket.socket]:
    """Send a request, byte for byte as given, and yield the connection."""
    lines = [f"{method} {target} HTTP/1.1", "host: simulator", "connection: close"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    lines += [f"content-length: {len(body)}"] if body else []
    with socket.create_connection((running.host, running.port)) as connection:
        connection.settimeout(0)
        request = "\r\n".join(lines).encode() + b"\r\n\r\n" + body
        await asyncio.get_running_loop().sock_sendall(connection, request)
        yield connection


def signed_call(running: Running, path: str) -> AbstractAsyncContextManager[socket.socket]:
    """Send a valid, signed call and yield the connection; ``path`` comes after ``/api/v1``."""
    return connection_to(running, API + path, sign(API + path, running.simulator.server_now()))


async def read_some(connection: socket.socket) -> bytes:
    """Return the next bytes, or none at the end."""
    return await asyncio.get_running_loop().sock_recv(connection, 65536)


async def read_until(connection: socket.socket, mark: bytes) -> bytes:
    """Return the bytes up to and including ``mark``, with all that were received together with it."""
    raw = b""
    while mark not in raw:
        raw += await read_some(connection)
    return raw


async def read_to_end(connection: socket.socket) -> Wire:
    """Return all bytes up to the end of the connection."""
    raw = bytearray()
    while True:
        try:
            more = await read_some(connection)
        except ConnectionResetError:
            return Wire(bytes(raw), was_reset=True)
        if not more:
            return Wire(bytes(raw), was_reset=False)
        raw += more


async def fetch(
    running: Running, target: str, headers: dict[str, str], method: str = "GET", body: bytes = b""
) -> Answer:
    """Return the answer to a request with only these headers."""
    async with connection_to(running, target, headers, method, body) as connection:
        return parse((await read_to_end(connection)).raw)


async def call(running: Running, path: str) -> Answer:
    """Return the answer to a valid, signed call; ``path`` comes after ``/api/v1``."""
    return parse((await call_wire(running, path)).raw)


async def call_wire(running: Running, path: str) -> Wire:
    """Return the bytes of the answer to a valid, signed call."""
    async with signed_call(running, path) as connection:
        return await read_to_end(connection)


async def control(running: Running, method: str, path: str, document: object = None) -> Answer:
    """Return the answer of the control endpoint; ``path`` comes after ``/_control``."""
    headers = {} if document is None else {"content-type": "application/json"}
    body = b"" if document is None else json.dumps(document).encode()
    return await fetch(running, f"/_control{path}", headers, method, body)
