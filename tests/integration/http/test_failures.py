"""Failures: a request that was not sent is distinguished from one that may have had an effect."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

import pytest

from tests.integration.http.raw_server import Exchange, forever, raw_server
from watcher.core.secret import Secret
from watcher.http import Answered, FailureReason, HttpClient, HttpRequest, HttpResult, MaybeSent, NotSent

MakeClient = Callable[..., HttpClient]

HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


async def hang(exchange: Exchange) -> None:
    await exchange.read_head()
    await forever()


async def drip_head(exchange: Exchange) -> None:
    await exchange.read_head()
    await exchange.write(b"HTTP/1.1 200 OK\r\n")
    while True:
        await exchange.write(b"X-Drip: 1\r\n")
        await asyncio.sleep(0.02)


async def drip_body(exchange: Exchange) -> None:
    await exchange.read_head()
    await exchange.write(b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n")
    while True:
        await exchange.write(b"x")
        await asyncio.sleep(0.02)


async def interim_without_end(exchange: Exchange) -> None:
    await exchange.read_head()
    while True:
        await exchange.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        await asyncio.sleep(0.02)


async def close_unread(exchange: Exchange) -> None:
    await exchange.reader.read(1)


async def close_after_reading(exchange: Exchange) -> None:
    await exchange.read_head()


async def reset_after_reading(exchange: Exchange) -> None:
    await exchange.read_head()
    exchange.reset()


async def half_head(exchange: Exchange) -> None:
    await exchange.read_head()
    await exchange.write(b"HTTP/1.1 200 OK\r\nContent-Le")


async def half_body(exchange: Exchange) -> None:
    await exchange.read_head()
    await exchange.write(HEAD + b"half")


async def half_body_then_reset(exchange: Exchange) -> None:
    await exchange.read_head()
    await exchange.write(HEAD + b"half")
    await asyncio.sleep(0.05)
    exchange.reset()


async def half_chunk(exchange: Exchange) -> None:
    await exchange.read_head()
    await exchange.write(CHUNKED + b"a\r\nhalf")


async def bad_chunk(exchange: Exchange) -> None:
    await exchange.read_head()
    await exchange.write(CHUNKED + b"not a number\r\n")
    await forever()


async def no_http(exchange: Exchange) -> None:
    await exchange.read_head()
    await exchange.write(b"SSH-2.0-OpenSSH_9.2\r\n\r\n")
    await forever()


async def echo(exchange: Exchange) -> None:
    await exchange.write(await exchange.read_head())
    await forever()


async def head_without_end(exchange: Exchange) -> None:
    await exchange.read_head()
    await exchange.write(b"HTTP/1.1 200 OK\r\n")
    while True:
        await exchange.write(b"X-More: " + b"x" * 10_000 + b"\r\n")


async def wrong_length(exchange: Exchange) -> None:
    await exchange.read_head()
    await exchange.write(b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n")
    await forever()


async def two_lengths(exchange: Exchange) -> None:
    await exchange.read_head()
    await exchange.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx")
    await forever()


async def body_without_end(exchange: Exchange) -> None:
    await exchange.read_head()
    await exchange.write(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        await exchange.write(b"x" * 1000)


async def chunks_without_end(exchange: Exchange) -> None:
    await exchange.read_head()
    await exchange.write(CHUNKED)
    while True:
        await exchange.write(b"64\r\n" + b"x" * 100 + b"\r\n")


@pytest.mark.parametrize(
    ("behave", "reason"),
    [
        (hang, FailureReason.DEADLINE),
        (drip_head, FailureReason.DEADLINE),
        (drip_body, FailureReason.DEADLINE),
        (interim_without_end, FailureReason.DEADLINE),
        (close_unread, FailureReason.RESET),
        (close_after_reading, FailureReason.RESET),
        (reset_after_reading, FailureReason.RESET),
        (half_head, FailureReason.RESET),
        (half_body, FailureReason.TRUNCATED),
        (half_body_then_reset, FailureReason.TRUNCATED),
        (half_chunk, FailureReason.TRUNCATED),
        (bad_chunk, FailureReason.PROTOCOL),
        (no_http, FailureReason.PROTOCOL),
        (echo, FailureReason.PROTOCOL),
        (head_without_end, FailureReason.PROTOCOL),
        (wrong_length, FailureReason.PROTOCOL),
        (two_lengths, FailureReason.PROTOCOL),
        (body_without_end, FailureReason.TOO_LARGE),
        (chunks_without_end, FailureReason.TOO_LARGE),
    ],
)
async def test_a_failure_after_the_first_byte_is_maybe_sent(
    make_client: MakeClient, behave: Callable[[Exchange], asyncio.Future[None]], reason: FailureReason
) -> None:
    async with raw_server(behave) as server:
        client = make_client(timeout_seconds=0.3 if reason is FailureReason.DEADLINE else 5.0)
        result = await client.call(HttpRequest(method="POST", url=server.url, body=b"{}"))

    assert isinstance(result, MaybeSent), result
    assert result.reason is reason
    assert result.asked_at <= result.ended_at


@pytest.mark.parametrize(("of_client", "of_request"), [(5.0, 0.1), (0.1, 5.0), (0.1, None)])
async def test_the_shorter_deadline_of_a_request_and_its_client_counts(
    make_client: MakeClient, of_client: float, of_request: float | None
) -> None:
    async with raw_server(hang) as server:
        client = make_client(timeout_seconds=of_client)
        result = await client.call(HttpRequest(url=server.url, timeout_seconds=of_request))
    # On a loaded machine the connection itself may take longer.
    assert isinstance(result, NotSent | MaybeSent)
    assert result.reason is FailureReason.DEADLINE
    assert result.detail.endswith("no complete answer within 0.1 s")


async def test_the_status_is_kept_if_only_the_body_fails(make_client: MakeClient) -> None:
    async with raw_server(half_body) as server:
        result = await make_client().call(HttpRequest(url=server.url))
    assert isinstance(result, MaybeSent)
    assert result.status == 200


async def test_a_kept_connection_that_breaks_while_idle_is_replaced_before_writing(make_client: MakeClient) -> None:
    async def behave(exchange: Exchange) -> None:
        await exchange.read_head()
        await exchange.answer()

    async with raw_server(behave) as server:
        client = make_client()
        assert isinstance(await client.call(HttpRequest(url=server.url)), Answered)
        await asyncio.sleep(0.05)
        assert isinstance(await client.call(HttpRequest(url=server.url)), Answered)

    assert server.connections == 2


def refused_port() -> int:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port: int = unused.getsockname()[1]
    return port


async def test_a_refused_connection_is_not_sent(make_client: MakeClient) -> None:
    result = await make_client().call(HttpRequest(url=f"http://127.0.0.1:{refused_port()}/"))
    assert_not_sent(result, FailureReason.CONNECT)


async def test_an_unknown_name_is_distinguished_from_a_host_that_is_down(make_client: MakeClient) -> None:
    result = await make_client().call(HttpRequest(url="http://no-such-host.invalid/"))
    assert_not_sent(result, FailureReason.DNS)


async def test_the_wait_for_a_connection_counts_against_the_deadline(make_client: MakeClient) -> None:
    async with raw_server(hang) as server:
        client = make_client(max_connections=1, timeout_seconds=0.3)
        results = await asyncio.gather(*(client.call(HttpRequest(url=server.url)) for _ in range(20)))

    assert all(isinstance(result, NotSent | MaybeSent) for result in results)
    # The end of one call may free its connection for another, but each call does not get a full deadline in turn.
    assert sum(isinstance(result, NotSent) for result in results) > len(server.received)


@pytest.mark.parametrize(
    "url", ["", "nonsense", "ftp://127.0.0.1/", "http:///path", "http://127.0.0.1:99999/", "http://\x00/"]
)
async def test_an_invalid_url_is_not_sent(make_client: MakeClient, url: str) -> None:
    assert_not_sent(await make_client().call(HttpRequest(url=url)), FailureReason.INVALID)


@pytest.mark.parametrize(
    "request_of",
    [
        lambda url: HttpRequest(url=url, headers={"X-Name": "two\r\nlines"}),
        lambda url: HttpRequest(url=url, headers={"Not a name": "x"}),
        lambda url: HttpRequest(url=url, headers={"X-Name": "한글"}),
        lambda url: HttpRequest(url=url, method="NOT A METHOD"),
    ],
)
async def test_a_malformed_header_or_method_is_not_sent(
    make_client: MakeClient, request_of: Callable[[str], HttpRequest]
) -> None:
    async with raw_server(close_after_reading) as server:
        result = await make_client().call(request_of(server.url))

    assert_not_sent(result, FailureReason.INVALID)
    assert server.received == []


def assert_not_sent(result: HttpResult, reason: FailureReason) -> None:
    assert isinstance(result, NotSent), result
    assert result.reason is reason


SECRET = "T000-B000-very-secret"


@pytest.mark.parametrize("behave", [hang, close_after_reading, half_body, no_http, echo, body_without_end])
async def test_a_failure_names_the_host_but_no_path_query_or_header(
    make_client: MakeClient, behave: Callable[[Exchange], asyncio.Future[None]]
) -> None:
    async with raw_server(behave) as server:
        request = HttpRequest(
            url=Secret(f"{server.url}/services/{SECRET}?token={SECRET}"), headers={"Authorization": Secret(SECRET)}
        )
        result = await make_client(timeout_seconds=0.3).call(request)

    assert isinstance(result, MaybeSent)
    assert f"127.0.0.1:{server.port}" in result.detail
    assert SECRET not in repr(result) + repr(request)


async def test_a_cancelled_call_raises_and_frees_its_connection(make_client: MakeClient) -> None:
    reached = asyncio.Event()

    async def behave(exchange: Exchange) -> None:
        await exchange.read_head()
        if b"/slow" in exchange.received[-1]:
            reached.set()
            await forever()
        await exchange.answer()

    async with raw_server(behave) as server:
        client = make_client(max_connections=1)
        for _ in range(3):
            reached.clear()
            call = asyncio.create_task(client.call(HttpRequest(url=f"{server.url}/slow")))
            await reached.wait()
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
        assert isinstance(await client.call(HttpRequest(url=server.url)), Answered)


async def test_calls_that_reach_their_deadline_free_their_connections(make_client: MakeClient) -> None:
    async def behave(exchange: Exchange) -> None:
        await exchange.read_head()
        if b"/slow" in exchange.received[-1]:
            await forever()
        await exchange.answer()

    async with raw_server(behave) as server:
        client = make_client(max_connections=2, timeout_seconds=0.2)
        await asyncio.gather(*(client.call(HttpRequest(url=f"{server.url}/slow")) for _ in range(6)))
        assert isinstance(await client.call(HttpRequest(url=server.url)), Answered)
