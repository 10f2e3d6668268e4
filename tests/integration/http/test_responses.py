"""Complete answers, and the requests for them."""

from __future__ import annotations

import gzip
from collections.abc import Callable

from tests.integration.http.raw_server import Exchange, raw_server
from watcher import __version__
from watcher.core.secret import Secret
from watcher.http import Answered, HttpClient, HttpRequest

MakeClient = Callable[..., HttpClient]


async def test_an_answer_has_status_headers_body_and_times(make_client: MakeClient) -> None:
    async def behave(exchange: Exchange) -> None:
        await exchange.read_head()
        await exchange.answer(b"yes", status="404 Not Found", head="X-Twice: a\r\nx-twice: b\r\n")

    async with raw_server(behave) as server:
        result = await make_client().call(HttpRequest(url=server.url))

    assert isinstance(result, Answered)
    assert (result.status, result.body) == (404, b"yes")
    assert result.headers["X-TWICE"] == "a, b"
    assert result.asked_at <= result.answered_at


async def test_the_request_names_the_program_and_asks_for_plain_and_uncached_bodies(make_client: MakeClient) -> None:
    async def behave(exchange: Exchange) -> None:
        await exchange.read_head()
        await exchange.answer()

    async with raw_server(behave) as server:
        await make_client().call(HttpRequest(url=server.url, headers={"accept": "application/json"}))

    head = server.received[0].lower()
    assert f"user-agent: aitems-watcher/{__version__}".encode() in head
    assert b"accept-encoding: identity" in head
    assert b"cache-control: no-cache" in head
    assert head.count(b"accept:") == 1
    assert b"accept: application/json" in head


async def test_the_body_and_secrets_are_sent(make_client: MakeClient) -> None:
    received = []

    async def behave(exchange: Exchange) -> None:
        head = await exchange.read_head()
        received.append(head + await exchange.reader.readexactly(4))
        await exchange.answer()

    async with raw_server(behave) as server:
        request = HttpRequest(
            method="POST",
            url=Secret(f"{server.url}/T0/B0"),
            headers={"Authorization": Secret("Bearer x")},
            body=b"body",
        )
        result = await make_client().call(request)

    assert isinstance(result, Answered)
    assert received[0].startswith(b"POST /T0/B0 HTTP/1.1\r\n")
    assert b"authorization: bearer x\r\n" in received[0].lower()
    assert received[0].endswith(b"\r\n\r\nbody")


async def test_the_signer_gets_the_path_as_sent(make_client: MakeClient) -> None:
    signed: list[tuple[str, bytes]] = []

    def sign(method: str, raw_path: bytes) -> dict[str, str]:
        signed.append((method, raw_path))
        return {"X-Signature": "s"}

    async def behave(exchange: Exchange) -> None:
        await exchange.read_head()
        await exchange.answer()

    async with raw_server(behave) as server:
        await make_client().call(HttpRequest(url=f"{server.url}/a%2Fb/%ED%95%9C?query1=&query2", signer=sign))

    assert signed == [("GET", b"/a%2Fb/%ED%95%9C?query1=&query2")]
    assert server.request_lines == ["GET /a%2Fb/%ED%95%9C?query1=&query2 HTTP/1.1"]
    assert b"x-signature: s" in server.received[0].lower()


async def test_a_redirect_is_an_answer_and_is_not_followed(make_client: MakeClient) -> None:
    async def behave(exchange: Exchange) -> None:
        while True:
            await exchange.read_head()
            await exchange.answer(status="302 Found", head="Location: /elsewhere\r\n")

    async with raw_server(behave) as server:
        result = await make_client().call(HttpRequest(url=server.url))

    assert isinstance(result, Answered)
    assert result.status == 302
    assert len(server.received) == 1


async def test_cookies_are_not_kept(make_client: MakeClient) -> None:
    async def behave(exchange: Exchange) -> None:
        while True:
            await exchange.read_head()
            await exchange.answer(head="Set-Cookie: a=b; Path=/\r\n")

    async with raw_server(behave) as server:
        client = make_client()
        await client.call(HttpRequest(url=server.url))
        await client.call(HttpRequest(url=server.url))

    assert b"cookie" not in server.received[1].lower()


async def test_a_gzip_bomb_is_not_decompressed(make_client: MakeClient) -> None:
    bomb = gzip.compress(b"0" * 500_000)

    async def behave(exchange: Exchange) -> None:
        await exchange.read_head()
        await exchange.answer(bomb, head="Content-Encoding: gzip\r\n")

    async with raw_server(behave) as server:
        result = await make_client(max_body_bytes=len(bomb)).call(HttpRequest(url=server.url))

    assert isinstance(result, Answered)
    assert result.body == bomb


async def test_interim_answers_are_skipped(make_client: MakeClient) -> None:
    async def behave(exchange: Exchange) -> None:
        await exchange.read_head()
        await exchange.write(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\n")
        await exchange.answer(b"final")

    async with raw_server(behave) as server:
        result = await make_client().call(HttpRequest(url=server.url))

    assert isinstance(result, Answered)
    assert (result.status, result.body) == (200, b"final")


async def test_an_answer_before_the_end_of_the_request_counts(make_client: MakeClient) -> None:
    async def behave(exchange: Exchange) -> None:
        await exchange.read_head()
        await exchange.answer(b"too much", status="413 Content Too Large", head="Connection: close\r\n")
        # The server reads the rest, so that no reset discards its answer.
        await exchange.reader.read()

    async with raw_server(behave) as server:
        result = await make_client().call(HttpRequest(method="POST", url=server.url, body=b"x" * 5_000_000))

    assert isinstance(result, Answered)
    assert (result.status, result.body) == (413, b"too much")


async def test_a_kept_connection_is_reused(make_client: MakeClient) -> None:
    async def behave(exchange: Exchange) -> None:
        while True:
            await exchange.read_head()
            await exchange.answer()

    async with raw_server(behave) as server:
        client = make_client()
        for _ in range(3):
            assert isinstance(await client.call(HttpRequest(url=server.url)), Answered)

    assert server.connections == 1
