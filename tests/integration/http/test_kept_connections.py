"""Kept connections that the peer closes around the next request."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.integration.http.conftest import TLS
from tests.integration.http.raw_server import Exchange, RawServer, raw_server
from watcher.http import (
    KEPT_TRIES,
    Answered,
    FailureReason,
    HttpClient,
    HttpRequest,
    HttpSettings,
    MaybeSent,
    NotSent,
)

MakeClient = Callable[..., HttpClient]
Close = Callable[[Exchange], Awaitable[None]]
USUAL_IDLE_SECONDS = 5.0
BODY = b"{}"
LEFT = 12
"""So many kept connections other calls leave at most."""


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


def own(server: RawServer) -> HttpRequest:
    return replace(post(server), own_connection=True)


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


@pytest.mark.parametrize(
    "reading", [{"method": "GET"}, {"method": "POST", "reads_only": True}], ids=["GET", "POST that reads"]
)
async def test_other_calls_that_leave_kept_connections_do_not_repeat_a_call_for_ever(
    make_client: MakeClient, reading: dict[str, Any]
) -> None:
    closed = 0

    async def behave(exchange: Exchange) -> None:
        nonlocal closed
        await exchange.read_head()
        await exchange.answer()
        await exchange.reader.readuntil(b"\r\n\r\n")
        closed += 1
        if closed < LEFT:
            # The connection under the call is in use, so that this one is new, and is kept.
            await client.call(get(server))

    async with raw_server(behave) as server:
        client = make_client()
        await client.call(get(server))
        assert isinstance(await client.call(HttpRequest(url=server.url, **reading)), Answered)
    assert closed == KEPT_TRIES


@pytest.mark.parametrize("close", CLOSES)
async def test_a_post_that_only_reads_is_repeated_too(make_client: MakeClient, close: Close) -> None:
    async with raw_server(closing(close)) as server:
        client = make_client()
        request = HttpRequest(method="POST", url=server.url, body=BODY, reads_only=True)
        results = [await client.call(request) for _ in range(4)]
    assert all(isinstance(result, Answered) for result in results), results
    assert (len(server.received), server.connections) == (4, 4)


@pytest.mark.parametrize(
    "request_of_a_budget",
    [{"method": "GET"}, {"method": "POST", "body": BODY, "reads_only": True}],
    ids=["GET", "POST that reads"],
)
async def test_what_another_part_grants_is_not_repeated_here_and_had_no_effect(
    make_client: MakeClient, request_of_a_budget: dict[str, Any]
) -> None:
    async with raw_server(closing(read)) as server:
        client = make_client()
        request = HttpRequest(url=server.url, on_write=lambda: None, **request_of_a_budget)
        assert isinstance(await client.call(request), Answered)
        result = await client.call(request)
    assert isinstance(result, NotSent), result
    assert result.reason is FailureReason.IDLE_CLOSED
    assert server.connections == 1


@pytest.mark.parametrize("close", CLOSES)
async def test_a_post_on_a_kept_connection_that_closes_may_have_been_read(
    make_client: MakeClient, close: Close
) -> None:
    async with raw_server(closing(close)) as server:
        client = make_client()
        assert isinstance(await client.call(post(server)), Answered)
        result = await client.call(post(server))
        assert isinstance(result, MaybeSent), result
        assert result.reason is FailureReason.RESET
        assert isinstance(await client.call(post(server)), Answered)


async def test_a_post_on_a_kept_tls_connection_that_closes_may_have_been_read(
    make_client: MakeClient, server_tls: ssl.SSLContext
) -> None:
    async with raw_server(closing(read), server_tls) as server:
        client = make_client(ca_file=TLS / "ca.pem")
        request = HttpRequest(method="POST", url=f"https://localhost:{server.port}/", body=BODY)
        assert isinstance(await client.call(request), Answered)
        assert isinstance(await client.call(request), MaybeSent)


@pytest.mark.parametrize("close", CLOSES)
async def test_a_post_with_its_own_connection_meets_no_close_of_a_kept_one(
    make_client: MakeClient, close: Close
) -> None:
    async with raw_server(closing(close)) as server:
        client = make_client()
        results = [await client.call(request) for request in (get(server), *[own(server)] * 3, get(server))]
    assert all(isinstance(result, Answered) for result in results), results
    # The second GET met the close of the first one's connection and was repeated.
    assert (len(server.received), server.connections) == (5, 5)


async def test_a_post_with_its_own_tls_connection_meets_no_close_of_a_kept_one(
    make_client: MakeClient, server_tls: ssl.SSLContext
) -> None:
    async with raw_server(closing(read), server_tls) as server:
        client = make_client(ca_file=TLS / "ca.pem")
        request = replace(own(server), url=f"https://localhost:{server.port}/")
        results = [await client.call(request) for _ in range(3)]
    assert all(isinstance(result, Answered) for result in results), results


@pytest.mark.parametrize("close", CLOSES)
async def test_a_post_with_its_own_connection_to_a_proxy_meets_no_close_of_a_kept_one(
    make_client: MakeClient, close: Close
) -> None:
    async with raw_server(closing(close)) as proxy:
        client = make_client(proxy=f"http://127.0.0.1:{proxy.port}")
        request = replace(own(proxy), url="http://hooks.invalid/")
        results = [await client.call(request) for _ in range(3)]
    assert all(isinstance(result, Answered) for result in results), results
    assert proxy.connections == 3


async def test_own_connections_close_after_the_answer_and_are_not_handed_on_while_requests_queue(
    make_client: MakeClient,
) -> None:
    ended: list[bytes] = []

    async def behave(exchange: Exchange) -> None:
        await exchange.read_head()
        await exchange.reader.readexactly(len(BODY))
        await exchange.answer()
        ended.append(await exchange.reader.read())

    async with raw_server(behave) as server:
        client = make_client(max_connections=2)
        results = await asyncio.gather(*(client.call(own(server)) for _ in range(6)))
        assert all(isinstance(result, Answered) for result in results), results
        while len(ended) < 6:
            await asyncio.sleep(0)
    assert ended == [b""] * 6
    assert server.connections == 6


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


@pytest.mark.parametrize("close", CLOSES)
async def test_a_post_on_a_new_connection_that_closes_is_maybe_sent(make_client: MakeClient, close: Close) -> None:
    async with raw_server(closing(close, answers=0)) as server:
        result = await make_client().call(post(server))
    assert isinstance(result, MaybeSent), result
    assert result.reason is FailureReason.RESET
