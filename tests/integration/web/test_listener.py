"""The web listener over a real socket: its answers, its refusals, and its limits."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from structlog.testing import capture_logs

from watcher.core.health.readiness import NotReady, NotReadyReason
from watcher.core.secret import Secret
from watcher.web import listener
from watcher.web.listener import Listener
from watcher.web.pages import Pages, Readiness, build_app
from watcher.wiring.health_endpoints import LOOPBACK_HOSTS

REASON = NotReadyReason(code=NotReady.LOOP, detail="overdue: polling (60 s)")


async def metrics() -> bytes:
    return b"# HELP a b\n"


def pages(*reasons: NotReadyReason, token: Callable[[], Secret] | None = None, hosts: Sequence[str] = ("*",)) -> Pages:
    async def readiness() -> Readiness:
        return Readiness(reasons)

    return Pages(
        readiness=readiness, metrics=metrics, metrics_type="text/plain; version=0.0.4", token=token, hosts=hosts
    )


@asynccontextmanager
async def listening(served: Pages, port: int = 0) -> AsyncIterator[Listener]:
    made = Listener(build_app(served), "127.0.0.1", port, retry_seconds=0.05)
    task = asyncio.create_task(made.run())
    try:
        async with asyncio.timeout(20):
            while made.port is None and not port:
                await asyncio.sleep(0.01)
        yield made
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def ask(port: int | None, request: str) -> tuple[int, dict[str, str], bytes]:
    """Send a raw request and return status, headers and body; the connection closes after it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request.encode())
    async with asyncio.timeout(20):
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    status, *fields = head.decode().split("\r\n")
    pairs = (field.split(": ", 1) for field in fields)
    headers = {name.lower(): value for name, value in pairs}
    return int(status.split()[1]), headers, body


def get(path: str, *headers: str, method: str = "GET") -> str:
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: x", "Connection: close", *headers, "", ""])


async def test_healthz_shows_that_the_process_responds_and_readyz_whether_it_is_ready() -> None:
    async with listening(pages()) as web:
        status, _, body = await ask(web.port, get("/healthz"))
        assert (status, body) == (200, b"ok\n")
        status, _, body = await ask(web.port, get("/readyz"))
        assert (status, json.loads(body)) == (200, {"ready": True, "reasons": []})
    async with listening(pages(REASON)) as web:
        assert (await ask(web.port, get("/healthz")))[0] == 200
        status, _, body = await ask(web.port, get("/readyz"))
        reasons = [{"reason": "loop-late", "detail": "overdue: polling (60 s)"}]
        assert (status, json.loads(body)) == (503, {"ready": False, "reasons": reasons})


@pytest.mark.parametrize(("proxies", "client"), [((), "127.0.0.1"), (("127.0.0.0/8",), "203.0.113.9")])
async def test_only_a_trusted_proxy_says_which_client_asks(proxies: tuple[str, ...], client: str) -> None:
    async def who(request: Request) -> Response:
        assert request.client is not None
        return PlainTextResponse(f"{request.client.host} {request.url.scheme}")

    served = replace(pages(token=lambda: Secret("right")), trusted_proxies=proxies, others=lambda: [Route("/who", who)])
    forwarded = ("X-Forwarded-For: 203.0.113.9", "X-Forwarded-Proto: https")
    async with listening(served) as web:
        _, _, body = await ask(web.port, get("/who", "Authorization: Bearer right", *forwarded))
    assert body.decode() == f"{client} {'https' if proxies else 'http'}"


async def test_only_get_and_head_without_a_body_are_answered() -> None:
    async with listening(pages()) as web:
        status, headers, body = await ask(web.port, get("/metrics", method="HEAD"))
        assert (status, body) == (200, b"")
        assert headers["content-type"] == "text/plain; version=0.0.4"
        for method in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"):
            status, headers, _ = await ask(web.port, get("/metrics", "Content-Length: 0", method=method))
            assert (status, headers["allow"]) == (405, "GET, HEAD")
        assert (await ask(web.port, get("/metrics", "Content-Length: 999999999")))[0] == 413
        assert (await ask(web.port, get("/metrics", "Transfer-Encoding: chunked")))[0] == 413
        assert (await ask(web.port, get("/else")))[0] == 404
        assert (await ask(web.port, "GET /metrics HTTP/1.1\r\nX-Long: " + "x" * 40_000))[0] == 400


@pytest.mark.parametrize(
    ("method", "length", "code"), [("PUT", 0, "method-not-allowed"), ("GET", 9, "request-entity-too-large")]
)
async def test_a_refusal_of_the_api_has_one_code_whatever_the_version_of_python(
    method: str, length: int, code: str
) -> None:
    async with listening(pages()) as web:
        _, _, body = await ask(web.port, get("/api/v1/health", f"Content-Length: {length}", method=method))
    assert json.loads(body)["code"] == code


async def test_every_answer_has_the_security_headers() -> None:
    async with listening(pages(token=lambda: Secret("right"))) as web:
        for request in (get("/healthz"), get("/metrics"), get("/x"), get("/", method="POST")):
            _, headers, _ = await ask(web.port, request)
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["cache-control"] == "no-store"
            assert headers["content-security-policy"].startswith("default-src 'none'")
            assert "server" not in headers


async def test_a_configured_token_is_required_and_a_rotated_one_takes_effect_at_once() -> None:
    tokens = ["right-token"]
    async with listening(pages(token=lambda: Secret(tokens[-1]))) as web:
        assert (await ask(web.port, get("/healthz")))[0] == 200
        for path in ("/readyz", "/metrics", "/else"):
            status, headers, _ = await ask(web.port, get(path))
            assert (status, headers["www-authenticate"]) == (401, "Bearer")
            for wrong in (
                "Bearer wrong",
                "Bearer right-token2",
                "Bearer ",
                "Basic right-token",
                "right-token",
                "Bearer é",
            ):
                assert (await ask(web.port, get(path, f"Authorization: {wrong}")))[0] in {400, 401}
        assert (await ask(web.port, get("/metrics", "Authorization: Bearer right-token")))[0] == 200
        tokens.append("another-token")
        assert (await ask(web.port, get("/metrics", "Authorization: Bearer right-token")))[0] == 401
        assert (await ask(web.port, get("/metrics", "Authorization: Bearer another-token")))[0] == 200


async def test_a_port_in_use_is_a_warning_and_is_tried_again() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, capture_logs() as logs:
        port = taken.getsockname()[1]
        async with listening(pages(), port) as web:
            async with asyncio.timeout(20):
                while sum(line["event"] == "web.not_listening" for line in logs) < 3:
                    await asyncio.sleep(0.01)
            assert [line["log_level"] for line in logs[:2]] == ["warning", "debug"]
            assert f"127.0.0.1:{port}" in str(web.problem)
            taken.close()
            async with asyncio.timeout(20):
                while web.port is None:
                    await asyncio.sleep(0.01)
            assert not web.problem
            assert (await ask(web.port, get("/healthz")))[0] == 200


async def test_connections_without_a_request_are_closed_and_free_their_places(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listener, "REQUEST_SECONDS", 0.2)
    async with listening(pages()) as web:
        silent = [await asyncio.open_connection("127.0.0.1", web.port) for _ in range(listener.CONNECTIONS_MAX + 5)]
        silent[0][1].write(b"GET /metrics HTT")
        async with asyncio.timeout(20):
            for reader, _ in silent:
                with suppress(ConnectionError):
                    assert await reader.read() == b""
        for _, writer in silent:
            writer.close()
        assert (await ask(web.port, get("/healthz")))[0] == 200


FIRST = get("/healthz").replace("Connection: close\r\n", "")
FORM = "POST /login HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    "sent",
    [FIRST + "GET /healthz HTT", FORM, FORM + "1\r\na\r\n", FIRST + FORM.replace("chunked\r\n", "chunked\r\nX: ")],
    ids=["half of a second head", "no body", "half of a body", "half of a second body"],
)
async def test_a_request_that_does_not_end_is_cut_off(monkeypatch: pytest.MonkeyPatch, sent: str) -> None:
    monkeypatch.setattr(listener, "REQUEST_SECONDS", 0.2)
    async with listening(pages()) as web, asyncio.timeout(20):
        reader, writer = await asyncio.open_connection("127.0.0.1", web.port)
        writer.write(sent.encode())
        with suppress(ConnectionError):
            await reader.read()
        writer.close()


async def test_a_body_without_end_is_cut_off_while_it_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listener, "REQUEST_SECONDS", 0.2)
    async with listening(pages()) as web, asyncio.timeout(20):
        _, writer = await asyncio.open_connection("127.0.0.1", web.port)
        writer.write(FORM.encode())
        with suppress(ConnectionError):
            while not writer.is_closing():
                writer.write(b"1\r\na\r\n")
                await writer.drain()
                await asyncio.sleep(0)
        writer.close()


async def test_a_client_that_does_not_read_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listener, "READ_SECONDS", 0.2)

    async def long() -> bytes:
        return b"x" * 8_000_000

    served = replace(pages(), metrics=long)
    async with listening(served) as web, asyncio.timeout(20):
        # Nobody reads, and asyncio's own reader stops at its limit, so the server finds no room for the rest.
        _, writer = await asyncio.open_connection("127.0.0.1", web.port, limit=1024)
        writer.write(get("/metrics").encode())
        while not writer.is_closing():
            # A write shows that the other side is gone.
            writer.write(b"x")
            await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    ("host", "status"),
    [("127.0.0.1:8787", 200), ("localhost", 200), ("[::1]:8787", 200), ("rebound.example:8787", 400), ("", 400)],
)
async def test_a_foreign_host_name_gets_no_data(host: str, status: int) -> None:
    async with listening(pages(hosts=LOOPBACK_HOSTS)) as web:
        assert (await ask(web.port, get("/readyz").replace("Host: x", f"Host: {host}")))[0] == status
