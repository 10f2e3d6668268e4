"""Kept connections that the peer closes around the next request."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable

import pytest

from tests.integration.http.conftest import TLS
from tests.integration.http.raw_server import Exchange, RawServer, raw_server
from watcher.http import (
    Answered,
    FailureReason,
    HttpClient,
    HttpRequest,
    HttpSettings,
    MaybeSent,
    NotSent,
    attempt_trace,
)

MakeClient = Callable[..., HttpClient]
Close = Callable[[Exchange], Awaitable[None]]
USUAL_IDLE_SECONDS = 5.0
BODY = b"{}"


async def unread(exchange: Exchange) -> None:
    await exchange.reader.read(1)


async def read(exchange: Exchange) -> None:
    await exchange.reader.readuntil(b"\r\n\r\n")


async def reset_unread(exchange: Exchange) -> None:
    await exchange.reader.read(1)
    exchange.reset()


async def reset(exchange: Exchange) -> None:
    await exchange.reader.readuntil(b"\r\n\r\n")
    exchange.reset()


async def half_closed(exchange: Exchange) -> None:
    await exchange.reader.read(1)
    exchange.writer.write_eof()
    await asyncio.sleep(0.2)


CLOSES = (unread, read, reset_unread, reset, half_closed)


def closing(close: Close, answers: int = 1) -> Callable[[Exchange], Awaitable[None]]:
    """Answer so many requests of a connection, then close it at the next one."""

    async def behave(exchange: Exchange) -> None:
        for _ in range(answers):
            head = await exchange.read_head()
            if head.startswith(b"POST"):
                await exchange.reader.readexactly(len(BODY))
            await exchange.answer()
        await close(exchange)

    return behave


def get(server: RawServer) -> HttpRequest:
    return HttpRequest(url=server.url)


def post(server: RawServer) -> HttpRequest:
    return HttpRequest(method="POST", url=server.url, body=BODY)


def test_our_idle_connections_end_before_those_of_servers() -> None:
    assert HttpSettings().keep_alive_seconds < USUAL_IDLE_SECONDS


@pytest.mark.parametrize("close", CLOSES)
async def test_a_get_on_a_connection_that_closes_is_repeated_at_once(make_client: MakeClient, close: Close) -> None:
    async with raw_server(closing(close)) as server:
        client = make_client()
        results = [await client.call(get(server)) for _ in range(4)]
    assert all(isinstance(result, Answered) for result in results), results
    assert (len(server.received), server.connections) == (4, 4)


async def test_a_get_is_repeated_until_no_kept_connection_is_left(make_client: MakeClient) -> None:
    together = asyncio.Barrier(4)

    async def behave(exchange: Exchange) -> None:
        await exchange.read_head()
        if server.connections <= 4:
            await together.wait()
        await exchange.answer()
        await unread(exchange)

    async with raw_server(behave) as server:
        client = make_client()
        await asyncio.gather(*(client.call(get(server)) for _ in range(4)))
        assert isinstance(await client.call(get(server)), Answered)
    assert server.connections == 5


async def test_a_post_that_only_reads_is_repeated_too(make_client: MakeClient) -> None:
    async with raw_server(closing(unread)) as server:
        client = make_client()
        request = HttpRequest(method="POST", url=server.url, body=BODY, reads_only=True)
        results = [await client.call(request) for _ in range(2)]
    assert all(isinstance(result, Answered) for result in results), results


@pytest.mark.parametrize("close", CLOSES)
async def test_a_post_on_a_connection_that_closes_is_not_sent(make_client: MakeClient, close: Close) -> None:
    async with raw_server(closing(close)) as server:
        client = make_client()
        assert isinstance(await client.call(post(server)), Answered)
        result = await client.call(post(server))
        assert isinstance(result, NotSent), result
        assert result.reason is FailureReason.IDLE_CLOSED
        assert isinstance(await client.call(post(server)), Answered)


async def test_a_post_on_a_kept_tls_connection_that_closes_is_not_sent(
    make_client: MakeClient, server_tls: ssl.SSLContext
) -> None:
    async with raw_server(closing(read), server_tls) as server:
        client = make_client(ca_file=TLS / "ca.pem")
        request = HttpRequest(method="POST", url=f"https://localhost:{server.port}/", body=BODY)
        assert isinstance(await client.call(request), Answered)
        result = await client.call(request)
    assert isinstance(result, NotSent), result
    assert result.reason is FailureReason.IDLE_CLOSED


@pytest.mark.parametrize(
    "answer",
    [b"H", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_kept_connection_that_closes_within_an_answer_is_maybe_sent(
    make_client: MakeClient, answer: bytes, method: str
) -> None:
    async def begin(exchange: Exchange) -> None:
        await exchange.read_head()
        await exchange.write(answer)

    async with raw_server(closing(begin)) as server:
        client = make_client()
        assert isinstance(await client.call(get(server)), Answered)
        result = await client.call(HttpRequest(method=method, url=server.url))
    assert isinstance(result, MaybeSent), result
    assert len(server.received) == 2


async def test_a_post_whose_connection_closes_later_may_have_been_read(
    make_client: MakeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attempt_trace, "IDLE_CLOSE_SECONDS", -1.0)
    async with raw_server(closing(read)) as server:
        client = make_client()
        assert isinstance(await client.call(post(server)), Answered)
        assert isinstance(await client.call(post(server)), MaybeSent)


@pytest.mark.parametrize("close", CLOSES)
async def test_a_post_on_a_new_connection_that_closes_is_maybe_sent(make_client: MakeClient, close: Close) -> None:
    async with raw_server(closing(close, answers=0)) as server:
        result = await make_client().call(post(server))
    assert isinstance(result, MaybeSent), result
    assert result.reason is FailureReason.RESET
