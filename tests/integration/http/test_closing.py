"""Closing a client: open and later calls end normally, and no connection outlives them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

from tests.integration.http.raw_server import Exchange, raw_server
from watcher.http import Answered, HttpClient, HttpRequest

MakeClient = Callable[..., HttpClient]


class GatedAnswer:
    """Answers when the test allows it, and notes the end of the connection."""

    def __init__(self) -> None:
        self.requested = asyncio.Event()
        self.allowed = asyncio.Event()
        self.closed = asyncio.Event()

    async def __call__(self, exchange: Exchange) -> None:
        await exchange.read_head()
        self.requested.set()
        await self.allowed.wait()
        with suppress(ConnectionError):
            await exchange.answer()
            assert await exchange.reader.read() == b""
        self.closed.set()


async def test_closing_lets_an_open_call_finish_and_then_closes_its_connection(
    make_client: MakeClient,
) -> None:
    client, gate = make_client(), GatedAnswer()
    async with raw_server(gate) as server:
        call = asyncio.create_task(client.call(HttpRequest(url=server.url)))
        await gate.requested.wait()
        await client.aclose()
        gate.allowed.set()
        assert isinstance(await call, Answered)
        await asyncio.wait_for(gate.closed.wait(), 5)


async def test_a_call_after_closing_leaves_no_open_connection(make_client: MakeClient) -> None:
    client, gate = make_client(), GatedAnswer()
    gate.allowed.set()
    async with raw_server(gate) as server:
        await client.aclose()
        assert isinstance(await client.call(HttpRequest(url=server.url)), Answered)
        await asyncio.wait_for(gate.closed.wait(), 5)


async def test_a_call_that_is_cancelled_after_closing_leaves_no_open_connection(
    make_client: MakeClient,
) -> None:
    client, gate = make_client(), GatedAnswer()
    async with raw_server(gate) as server:
        await client.aclose()
        call = asyncio.create_task(client.call(HttpRequest(url=server.url)))
        await gate.requested.wait()
        call.cancel()
        gate.allowed.set()
        await asyncio.gather(call, return_exceptions=True)
        await asyncio.wait_for(gate.closed.wait(), 5)
