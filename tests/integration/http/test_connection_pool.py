"""The pool of connections: its limit, the calls that wait, and those that are cancelled."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from tests.integration.http.raw_server import Exchange, RawServer, forever, raw_server
from watcher.http import Answered, HttpClient, HttpRequest

MakeClient = Callable[..., HttpClient]


async def answer_with_the_target(exchange: Exchange) -> None:
    """Answer each request with its own target, so that an answer to another request shows."""
    while True:
        head = await exchange.read_head()
        target = head.split(b" ", 2)[1]
        match target:
            case b"/hang":
                await forever()
            case b"/half":
                await exchange.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n/hal")
                await forever()
            case b"/late":
                await asyncio.sleep(0.1)
        await exchange.answer(target)


async def body_of(client: HttpClient, server: RawServer, target: str) -> bytes:
    result = await client.call(HttpRequest(url=server.url + target))
    assert isinstance(result, Answered)
    return result.body


@pytest.mark.parametrize("limit", [1, 2, 5])
async def test_calls_beyond_the_limit_wait_for_a_connection(make_client: MakeClient, limit: int) -> None:
    client = make_client(max_connections=limit)
    targets = [f"/{number}" for number in range(3 * limit)]
    async with raw_server(answer_with_the_target) as server:
        bodies = await asyncio.gather(*(body_of(client, server, target) for target in targets))
        await client.aclose()

    assert bodies == [target.encode() for target in targets]
    assert server.connections == limit


@pytest.mark.parametrize("target", ["/hang", "/half", "/late"])
async def test_a_cancelled_call_leaves_no_connection_with_its_answer(make_client: MakeClient, target: str) -> None:
    client = make_client(max_connections=1)
    async with raw_server(answer_with_the_target) as server:
        assert await body_of(client, server, "/first") == b"/first"
        call = asyncio.create_task(body_of(client, server, target))
        await asyncio.sleep(0.05)
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)
        assert await body_of(client, server, "/next") == b"/next"
        await client.aclose()

    assert server.connections == 2


async def test_a_call_that_is_cancelled_while_it_waits_gives_its_place_to_the_next(make_client: MakeClient) -> None:
    client = make_client(max_connections=1)
    async with raw_server(answer_with_the_target) as server:
        calls = [asyncio.create_task(body_of(client, server, target)) for target in ("/late", "/lost", "/next")]
        await asyncio.sleep(0.05)
        calls[1].cancel()
        first, lost, last = await asyncio.gather(*calls, return_exceptions=True)
        await client.aclose()

    assert (first, last) == (b"/late", b"/next")
    assert isinstance(lost, asyncio.CancelledError)
    assert server.request_lines == ["GET /late HTTP/1.1", "GET /next HTTP/1.1"]


@pytest.mark.parametrize("limit", [1, 2])
async def test_a_kept_connection_to_another_server_gives_way_at_the_limit(make_client: MakeClient, limit: int) -> None:
    client = make_client(max_connections=limit)
    ended = asyncio.Event()

    async def answer_until_the_end(exchange: Exchange) -> None:
        try:
            await answer_with_the_target(exchange)
        finally:
            ended.set()

    async with raw_server(answer_until_the_end) as one, raw_server(answer_with_the_target) as other:
        assert await body_of(client, one, "/one") == b"/one"
        await asyncio.gather(*(body_of(client, other, "/late") for _ in range(limit)))
        async with asyncio.timeout(5):
            await ended.wait()
        await client.aclose()
