"""A client that is closed: calls under way, or made after it, end as they would; no connection outlives them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

from tests.integration.http.raw_server import Exchange, raw_server
from watcher.http import Answered, HttpClient, HttpRequest

MakeClient = Callable[..., HttpClient]


class Door:
    """Answers when it is let, and notes when the client has closed the connection."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.let = asyncio.Event()
        self.closed = asyncio.Event()

    async def __call__(self, exchange: Exchange) -> None:
        await exchange.read_head()
        self.asked.set()
        await self.let.wait()
        with suppress(ConnectionError):
            await exchange.answer()
            assert await exchange.reader.read() == b""
        self.closed.set()


async def test_a_call_under_way_when_the_client_is_closed_is_answered_and_its_connection_closed_after_it(
    make_client: MakeClient,
) -> None:
    client, door = make_client(), Door()
    async with raw_server(door) as server:
        call = asyncio.create_task(client.call(HttpRequest(url=server.url)))
        await door.asked.wait()
        await client.aclose()
        door.let.set()
        assert isinstance(await call, Answered)
        await asyncio.wait_for(door.closed.wait(), 5)


async def test_a_call_made_after_the_client_was_closed_leaves_no_connection(make_client: MakeClient) -> None:
    client, door = make_client(), Door()
    door.let.set()
    async with raw_server(door) as server:
        await client.aclose()
        assert isinstance(await client.call(HttpRequest(url=server.url)), Answered)
        await asyncio.wait_for(door.closed.wait(), 5)


async def test_a_call_that_is_cancelled_after_the_client_was_closed_leaves_no_connection(
    make_client: MakeClient,
) -> None:
    client, door = make_client(), Door()
    async with raw_server(door) as server:
        await client.aclose()
        call = asyncio.create_task(client.call(HttpRequest(url=server.url)))
        await door.asked.wait()
        call.cancel()
        door.let.set()
        await asyncio.gather(call, return_exceptions=True)
        await asyncio.wait_for(door.closed.wait(), 5)
