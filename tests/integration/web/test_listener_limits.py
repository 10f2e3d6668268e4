"""The listener's limits of one client: its connections, and the tokens that it may guess."""

from __future__ import annotations

import asyncio
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from structlog.testing import capture_logs

from tests.integration.web.test_listener import ask, get, pages
from watcher.core.secret import Secret
from watcher.web import listener
from watcher.web.guesses import TokenGuesses
from watcher.web.listener import Listener
from watcher.web.pages import Pages, build_app

Connection = tuple[StreamReader, StreamWriter]
REQUEST = get("/healthz").replace("Connection: close\r\n", "").encode()
HALF = b"GET /healthz HTTP/1.1\r\nHost: x\r\n"


@asynccontextmanager
async def listening(served: Pages) -> AsyncIterator[Listener]:
    made = Listener(build_app(served), "127.0.0.1", 0, trusted_proxies=served.trusted_proxies)
    task = asyncio.create_task(made.run())
    try:
        async with asyncio.timeout(30):
            await made.first_started.wait()
            yield made
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def connect(web: Listener, source: str, sent: bytes = b"") -> Connection:
    reader, writer = await asyncio.open_connection("127.0.0.1", web.port, local_addr=(source, 0))
    writer.write(sent)
    return reader, writer


async def answered(connection: Connection) -> bool:
    """Send a request on an open connection; return whether it is answered."""
    reader, writer = connection
    with suppress(ConnectionError, asyncio.IncompleteReadError):
        writer.write(REQUEST)
        head = await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(len(b"ok\n"))
        return head.startswith(b"HTTP/1.1 200")
    return False


async def is_closed(connection: Connection) -> bool:
    with suppress(ConnectionError, TimeoutError):
        async with asyncio.timeout(0.2):
            return await connection[0].read() == b""
    return connection[0].at_eof()


def end(connections: Sequence[Connection]) -> None:
    for _, writer in connections:
        writer.close()


async def kept_alive(web: Listener, source: str, count: int) -> list[Connection]:
    """Open connections that have had one answer each and wait for the next request, the oldest first."""
    found = [await connect(web, source) for _ in range(count)]
    for connection in found:
        assert await answered(connection)
        # uvloop counts milliseconds.
        await asyncio.sleep(0.002)
    return found


async def unfinished(web: Listener, source: str, count: int) -> list[Connection]:
    return [await connect(web, source, HALF) for _ in range(count)]


async def settled() -> None:
    """Let the listener accept what was opened."""
    await asyncio.sleep(0.1)


async def test_one_client_leaves_connections_for_others_also_on_this_machine() -> None:
    async with listening(pages()) as web:
        filling = await unfinished(web, "127.0.0.1", listener.CONNECTIONS_MAX)
        await settled()
        other = await connect(web, "127.0.0.2")
        assert await answered(other)
        further = await connect(web, "127.0.0.1")
        assert not await answered(further)
        end([*filling, other, further])


async def test_the_connection_that_is_idle_the_longest_ends_for_a_new_one_of_its_client() -> None:
    async with listening(pages()) as web:
        idle = await kept_alive(web, "127.0.0.1", listener.CONNECTIONS_OF_ONE)
        new = await connect(web, "127.0.0.1")
        assert await answered(new)
        assert [await is_closed(connection) for connection in idle[:3]] == [True, False, False]
        end([*idle, new])


async def test_where_all_places_are_taken_an_idle_connection_ends_for_a_health_check() -> None:
    sources = [f"127.0.0.{number}" for number in range(2, 2 + listener.CONNECTIONS_MAX // listener.CONNECTIONS_OF_ONE)]
    async with listening(pages()) as web:
        idle = await kept_alive(web, sources[0], listener.CONNECTIONS_OF_ONE)
        filling = [
            item for source in sources[1:] for item in await unfinished(web, source, listener.CONNECTIONS_OF_ONE)
        ]
        await settled()
        health = await connect(web, "127.0.0.1")
        assert await answered(health)
        assert [await is_closed(connection) for connection in idle[:2]] == [True, False]
        end([*idle, *filling, health])


@pytest.mark.parametrize("header", ["Connection: close", "X-Other: keeps it alive"])
async def test_a_client_that_does_not_read_the_end_of_its_answers_gets_no_more_places(header: str) -> None:
    async def long() -> bytes:
        return b"x" * 8_000_000

    request = get("/metrics").replace("Connection: close", header).encode()
    async with listening(replace(pages(), metrics=long)) as web:
        unread = []
        for _ in range(listener.CONNECTIONS_OF_ONE):
            reader, writer = await asyncio.open_connection("127.0.0.1", web.port, limit=1024)
            writer.write(request)
            unread.append((reader, writer))
            assert await reader.read(1)
        further = await connect(web, "127.0.0.1")
        assert not await answered(further)
        for _, writer in [*unread, further]:
            writer.transport.abort()


async def test_a_trusted_proxy_may_fill_every_place() -> None:
    async with listening(replace(pages(), trusted_proxies=["127.0.0.9/32"])) as web:
        found = await kept_alive(web, "127.0.0.9", listener.CONNECTIONS_OF_ONE + 4)
        assert all([await answered(connection) for connection in found])
        end(found)


async def test_headers_of_a_proxy_that_is_not_trusted_are_removed() -> None:
    token = "Authorization: Bearer right"

    async def forwarded(request: Request) -> Response:
        return PlainTextResponse(" ".join(sorted(name for name in request.headers if name.startswith("x-"))))

    served = guarded(others=lambda: [Route("/who", forwarded)])
    given = (token, "X-Forwarded-For: 1.1.1.1", "X-Forwarded-Proto: https", "x-forwarded-host: evil", "X-Other: a")
    async with listening(served) as web:
        assert (await ask(web.port, get("/who", *given)))[2] == b"x-other"
    async with listening(replace(served, trusted_proxies=["127.0.0.3/8"])) as web:
        assert b"x-forwarded-host" in (await ask(web.port, get("/who", *given)))[2]


@pytest.mark.parametrize(
    "header",
    ["X-Forwarded-For: 1.1.1.1", "X-Forwarded-Host: a", "X-Real-IP: 1.1.1.1", "Forwarded: for=a", "Via: 1.1 a"],
)
async def test_without_a_token_nobody_reads_through_a_proxy(header: str) -> None:
    async with listening(pages()) as web:
        for path in ("/metrics", "/readyz", "/api/v1", "/"):
            status, headers, body = await ask(web.port, get(path, header))
            assert (status, headers["www-authenticate"]) == (401, "Bearer")
            assert b"set token in [web], and name the proxy in trusted_proxies" in body
            assert (await ask(web.port, get(path)))[0] in {200, 404}
        assert (await ask(web.port, get("/healthz", header)))[0] == 200
    async with listening(guarded()) as web:
        assert (await ask(web.port, bearer("right", "/metrics", header)))[0] == 200


def guarded(**more: object) -> Pages:
    now = [1000.0]
    guesses = TokenGuesses(lambda: now[0])
    return replace(pages(token=lambda: Secret("right")), guesses=guesses, **more)  # type: ignore[arg-type]


def bearer(token: str, path: str = "/metrics", *headers: str) -> str:
    return get(path, f"Authorization: Bearer {token}", *headers)


async def test_after_five_different_wrong_tokens_a_program_waits_and_another_does_not() -> None:
    async with listening(guarded(trusted_proxies=["127.0.0.1"])) as web:
        other = "X-Forwarded-For: 203.0.113.9"
        with capture_logs() as logs:
            for number in range(5):
                assert (await ask(web.port, bearer(f"wrong {number}")))[0] == 401
            assert (await ask(web.port, bearer("wrong 0")))[0] == 401
        refused = [line for line in logs if line["event"] == "web.token_refused"]
        assert [(line["client"], line["log_level"]) for line in refused] == [("127.0.0.1", "warning")] * 5
        assert "wrong 0" not in repr(logs)
        for token in ("wrong 5", "right"):
            status, headers, _ = await ask(web.port, bearer(token))
            assert (status, headers["retry-after"], headers["connection"]) == (429, "10", "close")
        assert (await ask(web.port, bearer("right", "/metrics", other)))[0] == 200
        assert (await ask(web.port, get("/metrics")))[0] == 401
        assert (await ask(web.port, bearer("right", "/healthz")))[0] == 200


async def test_the_api_says_in_words_that_too_many_tokens_were_wrong() -> None:
    async with listening(guarded()) as web:
        for number in range(6):
            status, headers, body = await ask(web.port, bearer(f"wrong {number}", "/api/v1/status"))
        assert (status, headers["content-type"]) == (429, "application/problem+json")
        assert b'"code": "too-many-requests"' in body
        assert b"too many wrong tokens" in body


@pytest.mark.parametrize("authorization", ["Basic cmlnaHQ=", "right", "", "bearer"])
async def test_what_is_no_token_is_no_guess(authorization: str) -> None:
    async with listening(guarded()) as web:
        for number in range(12):
            assert (await ask(web.port, get("/metrics", f"Authorization: {authorization}{number}")))[0] == 401
        assert (await ask(web.port, bearer("right")))[0] == 200
