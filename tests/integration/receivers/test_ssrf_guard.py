"""R27: the watcher connects to no receiver at an address where a cloud serves credentials."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from watcher.accepting import end_accepting
from watcher.clock import Clock
from watcher.core.delivery.model import Refused
from watcher.core.messages.reasons import reason_text
from watcher.http import Answered, FailureReason, HttpClient, HttpRequest, HttpSettings, NotSent
from watcher.http.probe import probe
from watcher.receivers.responses import outcome_without_answer, redactor_for

METADATA = "169.254.169.254"
GUARDED = HttpSettings(timeout_seconds=5.0, guarded=True)
ADDRESSES = (
    f"http://{METADATA}/latest/meta-data/",
    "http://[::ffff:169.254.169.254]/",
    "http://[fe80::1]/",
    "http://[fd00:ec2::254]/",
    "http://2852039166/",
    "http://0xa9fea9fe/",
    "http://0251.0376.0251.0376/",
    "http://169.254.43518/",
    "http://\uff11\uff16\uff19.254.169.254/",
    "http://169\u3002254\u3002169\u3002254/",
    "http://\u2460\u2465\u2468.254.169.254/",
)
USER_INFO = ("http://somebody:secret@127.0.0.1:1/", "http://127.0.0.1:1@169.254.169.254/")


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def connected(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the addresses to which sockets of this process connect, in order."""
    addresses: list[str] = []
    real = socket.socket.connect

    def connect(self: socket.socket, address: Any) -> None:
        addresses.append(address[0])
        real(self, address)

    monkeypatch.setattr(socket.socket, "connect", connect)
    return addresses


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Return a function that sets the DNS answers of a name, one for each query, and returns the queries."""
    real = socket.getaddrinfo

    def resolve_to(name: str, *answers: tuple[str, ...]) -> list[str]:
        queries: list[str] = []

        def getaddrinfo(host: Any, port: Any, *args: Any, **more: Any) -> Any:
            if host != name:
                return real(host, port, *args, **more)
            queries.append(name)
            answer = answers[min(len(queries), len(answers)) - 1]
            return [info for address in answer for info in real(address, port, *args, **more)]

        monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
        return queries

    return resolve_to


@asynccontextmanager
async def server(
    answer: bytes = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
) -> AsyncIterator[int]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()
        writer.close()

    listener = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with listener:
        yield listener.sockets[0].getsockname()[1]
        await end_accepting(listener)


async def call(url: str, settings: HttpSettings = GUARDED) -> Any:
    client = HttpClient(settings, Clock())
    try:
        return await client.call(HttpRequest(method="POST", url=url, body=b"{}"))
    finally:
        await client.aclose()


@pytest.mark.parametrize("url", ADDRESSES)
async def test_r27_a_forbidden_address_in_any_notation_is_refused_without_a_connection(
    url: str, connected: list[str]
) -> None:
    result = await call(url)
    assert isinstance(result, NotSent)
    # The HTTP library itself rejects some of them as no URL.
    assert result.reason in {FailureReason.ADDRESS, FailureReason.INVALID}
    assert isinstance(outcome_without_answer(result, redactor_for(None, ())), Refused)
    assert connected == []


@pytest.mark.parametrize("url", USER_INFO)
async def test_r27_user_info_is_refused_without_a_connection(url: str, connected: list[str]) -> None:
    result = await call(url)
    assert isinstance(result, NotSent)
    assert "secret" not in result.detail
    assert connected == []


@pytest.mark.parametrize(
    "answers",
    [(METADATA,), (METADATA, "fe80::1"), ("fe80::1",), ("::ffff:a9fe:a9fe",), ("224.0.0.1", "100.100.100.200")],
)
async def test_r27_a_name_of_forbidden_addresses_alone_is_refused_without_a_connection(
    answers: tuple[str, ...], connected: list[str], names: Callable[..., list[str]]
) -> None:
    names("hook.example", answers)
    result = await call("http://hook.example:9/")
    assert isinstance(result, NotSent)
    assert result.reason is FailureReason.ADDRESS
    assert (await probe("http://hook.example:9/", GUARDED)).failure is FailureReason.ADDRESS
    assert connected == []


MIXED = (
    (METADATA, "127.0.0.1"),
    ("127.0.0.1", METADATA),
    ("fe80::1", "127.0.0.1", "fe80::2"),
    ("::ffff:169.254.169.254", METADATA, "127.0.0.1"),
    ("fd00:ec2::254", "127.0.0.1"),
    ("255.255.255.255", "ff02::1", "127.0.0.1"),
)
"""The answers for a machine's own name, of mDNS, or of a hostile zone: forbidden addresses beside a good one."""


@pytest.mark.parametrize("answers", MIXED)
async def test_r27_a_name_is_reached_by_its_allowed_addresses_alone(
    answers: tuple[str, ...], connected: list[str], names: Callable[..., list[str]]
) -> None:
    names("hook.example", answers)
    async with server() as port:
        result = await call(f"http://hook.example:{port}/")
        assert isinstance(result, Answered), result
        assert (await probe(f"http://hook.example:{port}/", GUARDED)).failure is None
    assert connected == ["127.0.0.1", "127.0.0.1"]


@pytest.mark.parametrize(
    ("answers", "texts"),
    [
        ((METADATA,), [METADATA, "link-local"]),
        (("fe80::1", METADATA), ["fe80::1", METADATA]),
        (("100.100.100.200",), ["100.100.100.200", "a cloud's metadata address"]),
    ],
)
async def test_r27_the_message_names_every_address_of_a_refused_name(
    answers: tuple[str, ...], texts: list[str], names: Callable[..., list[str]]
) -> None:
    names("hook.example", answers)
    result = await call("http://hook.example:9/")
    outcome = outcome_without_answer(result, redactor_for(None, ()))
    assert isinstance(outcome, Refused)
    found = await probe("http://hook.example:9/", GUARDED)
    for text in texts:
        assert text in reason_text(outcome.reason)
        assert text in result.detail
        assert text in found.detail


async def test_a_probe_tries_the_next_address_if_one_does_not_answer(
    connected: list[str], names: Callable[..., list[str]]
) -> None:
    names("hook.example", ("127.0.0.2", METADATA, "127.0.0.1"))
    async with server() as port:
        assert (await probe(f"http://hook.example:{port}/", GUARDED)).failure is None
    assert connected == ["127.0.0.2", "127.0.0.1"]


async def test_r27_a_name_is_resolved_once_so_changing_dns_cannot_evade_the_check(
    connected: list[str], names: Callable[..., list[str]]
) -> None:
    queries = names("hook.example", ("127.0.0.1",), (METADATA,))
    async with server() as port:
        first = await call(f"http://hook.example:{port}/")
        assert isinstance(first, Answered)
        assert (queries, connected) == (["hook.example"], ["127.0.0.1"])
        second = await call(f"http://hook.example:{port}/")
    assert isinstance(second, NotSent)
    assert second.reason is FailureReason.ADDRESS
    assert connected == ["127.0.0.1"]


async def test_r27_a_redirect_to_a_forbidden_address_is_not_followed(connected: list[str]) -> None:
    moved = f"HTTP/1.1 302 Found\r\nLocation: http://{METADATA}/\r\nContent-Length: 0\r\n\r\n".encode()
    async with server(moved) as port:
        result = await call(f"http://127.0.0.1:{port}/")
    assert isinstance(result, Answered)
    assert (result.status, connected) == (302, ["127.0.0.1"])


async def test_r27_a_forbidden_address_is_refused_behind_a_proxy_too(connected: list[str]) -> None:
    async with server() as port:
        settings = HttpSettings(timeout_seconds=5.0, guarded=True, proxy=f"http://127.0.0.1:{port}")
        result = await call(f"http://{METADATA}/", settings)
    assert isinstance(result, NotSent)
    assert (result.reason, connected) == (FailureReason.ADDRESS, [])


async def test_a_name_is_reached_by_its_next_address_if_one_does_not_answer(
    connected: list[str], names: Callable[..., list[str]]
) -> None:
    names("hook.example", ("127.0.0.2", "127.0.0.1"))
    async with server() as port:
        result = await call(f"http://hook.example:{port}/")
    assert isinstance(result, Answered)
    assert connected == ["127.0.0.2", "127.0.0.1"]
