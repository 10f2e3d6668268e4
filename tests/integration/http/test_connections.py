"""Connections below HTTP: several addresses, bytes that nobody asked for, and bodies larger than the buffers."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from typing import Any

import pytest

from tests.integration.http.conftest import TLS
from tests.integration.http.raw_server import Exchange, RawServer, raw_server
from tests.integration.http.test_transport_pool import pump
from watcher.http import Answered, FailureReason, HttpClient, HttpRequest, NotSent

MakeClient = Callable[..., HttpClient]
LARGE = 1_000_000


async def answer_all(exchange: Exchange) -> None:
    while True:
        await exchange.read_head()
        await exchange.answer()


@pytest.fixture
async def hosts(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    """Return the addresses of names, which a test may set."""
    addresses: dict[str, list[str]] = {}

    async def getaddrinfo(host: Any, port: Any, **_: Any) -> list[Any]:
        return [(None, None, None, "", (address, port)) for address in addresses[host]]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo)
    return addresses


@pytest.fixture
async def silent(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Return the addresses that do not answer a connection, which a test may set."""
    addresses: set[str] = set()
    loop = asyncio.get_running_loop()
    connected = loop.create_connection

    async def create_connection(factory: Any, host: Any = None, port: Any = None, **options: Any) -> Any:
        if host in addresses:
            await asyncio.Event().wait()
        return await connected(factory, host, port, **options)

    monkeypatch.setattr(loop, "create_connection", create_connection)
    return addresses


@pytest.mark.parametrize("guarded", [False, True])
async def test_an_address_that_does_not_answer_delays_a_call_only_shortly(
    make_client: MakeClient, hosts: dict[str, list[str]], silent: set[str], *, guarded: bool
) -> None:
    hosts["two.example"] = ["127.0.0.2", "127.0.0.1"]
    silent.add("127.0.0.2")
    async with raw_server(answer_all) as server:
        client = make_client(timeout_seconds=2.5, guarded=guarded)
        result = await client.call(HttpRequest(url=f"http://two.example:{server.port}/"))
    assert isinstance(result, Answered), result


async def test_the_failure_of_every_address_is_named(make_client: MakeClient, hosts: dict[str, list[str]]) -> None:
    hosts["two.example"] = ["127.0.0.2", "127.0.0.3"]
    result = await make_client().call(HttpRequest(url="http://two.example:1/"))
    assert isinstance(result, NotSent)
    assert result.reason is FailureReason.CONNECT
    assert result.detail == "two.example:1: no connection: Connection refused"


@pytest.mark.parametrize(
    "unasked",
    [
        b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil",
        b"\r\n",
    ],
)
@pytest.mark.parametrize("closes", [False, True])
async def test_bytes_on_an_idle_connection_are_no_answer_to_the_next_request(
    make_client: MakeClient, unasked: bytes, *, closes: bool
) -> None:
    async def behave(exchange: Exchange) -> None:
        await exchange.read_head()
        await exchange.answer(b"asked")
        if server.connections == 1:
            await asyncio.sleep(0.02)
            await exchange.write(unasked)
            if not closes:
                await exchange.reader.read()

    async with raw_server(behave) as server:
        client = make_client()
        for _ in range(2):
            result = await client.call(HttpRequest(method="POST", url=server.url, body=b""))
            assert isinstance(result, Answered), result
            assert result.body == b"asked"
            await asyncio.sleep(0.05)
    assert server.connections == 2


async def test_bytes_before_the_handshake_are_no_part_of_the_answer(
    make_client: MakeClient, server_tls: ssl.SSLContext
) -> None:
    async with raw_server(answer_all, server_tls) as server:

        async def inject(exchange: Exchange) -> None:
            await exchange.read_head()
            evil = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"
            await exchange.write(b"HTTP/1.1 200 Connection established\r\n\r\n" + evil)
            await relay(exchange, server)

        async with raw_server(inject) as proxy:
            client = make_client(proxy=f"http://127.0.0.1:{proxy.port}", ca_file=TLS / "ca.pem")
            result = await client.call(HttpRequest(url=f"https://localhost:{server.port}/"))
    assert not (isinstance(result, Answered) and result.body == b"evil"), result


async def test_a_proxy_inside_tls_tunnels_tls(make_client: MakeClient, server_tls: ssl.SSLContext) -> None:
    async with raw_server(answer_all, server_tls) as server:

        async def tunnel(exchange: Exchange) -> None:
            await exchange.read_head()
            await exchange.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            await relay(exchange, server)

        async with raw_server(tunnel, server_tls) as proxy:
            client = make_client(proxy=f"https://localhost:{proxy.port}", ca_file=TLS / "ca.pem")
            results = [
                await client.call(HttpRequest(url=f"https://localhost:{server.port}/x{number}")) for number in range(2)
            ]
            await client.aclose()
    assert all(isinstance(result, Answered) for result in results), results
    assert proxy.request_lines == [f"CONNECT localhost:{server.port} HTTP/1.1"]
    assert server.request_lines == ["GET /x0 HTTP/1.1", "GET /x1 HTTP/1.1"]


async def relay(exchange: Exchange, server: RawServer) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    try:
        await asyncio.gather(pump(exchange.reader, writer), pump(reader, exchange.writer))
    finally:
        writer.close()


@pytest.mark.parametrize("tls", [False, True])
async def test_large_bodies_pass_in_both_directions(
    make_client: MakeClient, server_tls: ssl.SSLContext, *, tls: bool
) -> None:
    sent = bytes(range(256)) * (LARGE // 256)

    async def echo(exchange: Exchange) -> None:
        await exchange.read_head()
        await exchange.answer(await exchange.reader.readexactly(len(sent)))

    async with raw_server(echo, server_tls if tls else None) as server:
        client = make_client(max_body_bytes=LARGE, ca_file=TLS / "ca.pem")
        url = f"https://localhost:{server.port}/" if tls else server.url
        result = await client.call(HttpRequest(method="POST", url=url, body=sent))
    assert isinstance(result, Answered), result
    assert result.body == sent


async def test_a_peer_waits_while_its_answer_is_not_read(make_client: MakeClient) -> None:
    written = 0

    async def pour(exchange: Exchange) -> None:
        nonlocal written
        await exchange.read_head()
        await exchange.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            await exchange.write(b"x" * 100_000)
            written += 100_000

    async with raw_server(pour) as server:
        result = await make_client(max_body_bytes=50_000).call(HttpRequest(url=server.url))
        await asyncio.sleep(0.05)
    assert not isinstance(result, Answered)
    assert written < 20_000_000
