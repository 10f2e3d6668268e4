"""TLS and proxies: valid and invalid certificates, and proxies of the settings or the environment."""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.http.conftest import TLS
from tests.integration.http.raw_server import Exchange, RawServer, forever, raw_server
from watcher.core.delivery.model import Refused
from watcher.core.messages.reasons import reason_text
from watcher.core.secret import Secret
from watcher.http import (
    Answered,
    FailureReason,
    HttpClient,
    HttpRequest,
    HttpSettings,
    HttpSetupError,
    MaybeSent,
    NotSent,
)
from watcher.http.transport_pool import tls_context
from watcher.receivers.responses import outcome_without_answer, redactor_for

MakeClient = Callable[..., HttpClient]


async def answer_all(exchange: Exchange) -> None:
    while True:
        await exchange.read_head()
        await exchange.answer()


def https(server: RawServer) -> str:
    return f"https://localhost:{server.port}/"


async def test_a_certificate_of_the_given_authority_is_accepted(
    make_client: MakeClient, server_tls: ssl.SSLContext
) -> None:
    async with raw_server(answer_all, server_tls) as server:
        result = await make_client(ca_file=TLS / "ca.pem").call(HttpRequest(url=https(server)))
    assert isinstance(result, Answered)


async def test_the_authorities_of_the_environment_are_used(
    make_client: MakeClient, server_tls: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(TLS / "ca.pem"))
    async with raw_server(answer_all, server_tls) as server:
        result = await make_client().call(HttpRequest(url=https(server)))
    assert isinstance(result, Answered)


async def test_a_server_with_an_unknown_authority_gets_no_request(
    make_client: MakeClient, server_tls: ssl.SSLContext
) -> None:
    async with raw_server(answer_all, server_tls) as server:
        result = await make_client().call(HttpRequest(url=https(server)))

    assert isinstance(result, NotSent)
    assert result.reason is FailureReason.TLS
    assert "certificate" in result.detail
    assert server.received == []


async def test_a_server_with_a_certificate_for_another_host_gets_no_request(
    make_client: MakeClient, server_tls: ssl.SSLContext
) -> None:
    async with raw_server(answer_all, server_tls) as server:
        result = await make_client(ca_file=TLS / "ca.pem").call(HttpRequest(url=f"https://127.0.0.2:{server.port}/"))
    assert isinstance(result, NotSent)
    assert result.reason in {FailureReason.TLS, FailureReason.CONNECT}


async def test_tls_to_a_plain_port_is_not_sent(make_client: MakeClient) -> None:
    async def answer_plainly(exchange: Exchange) -> None:
        await exchange.reader.read(1)
        await exchange.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    async with raw_server(answer_plainly) as server:
        result = await make_client().call(HttpRequest(url=https(server)))
    assert isinstance(result, NotSent)
    assert result.reason is FailureReason.TLS


async def test_a_reset_during_the_handshake_is_not_sent(make_client: MakeClient) -> None:
    async def reset(exchange: Exchange) -> None:
        await exchange.reader.read(1)
        exchange.reset()

    async with raw_server(reset) as server:
        result = await make_client().call(HttpRequest(url=https(server)))
    assert isinstance(result, NotSent)
    assert result.reason is FailureReason.TLS


async def test_a_hanging_handshake_is_not_sent_and_its_connection_is_closed(make_client: MakeClient) -> None:
    closed = asyncio.Event()

    async def hang(exchange: Exchange) -> None:
        await exchange.reader.read()
        closed.set()

    async with raw_server(hang) as server:
        result = await make_client(timeout_seconds=0.3).call(HttpRequest(url=https(server)))
        async with asyncio.timeout(5):
            await closed.wait()
    assert isinstance(result, NotSent)
    assert result.reason is FailureReason.DEADLINE


async def test_a_client_certificate_is_presented(make_client: MakeClient, server_tls: ssl.SSLContext) -> None:
    server_tls.verify_mode = ssl.CERT_REQUIRED
    async with raw_server(answer_all, server_tls) as server:
        client = make_client(ca_file=TLS / "ca.pem", client_cert=TLS / "client.pem")
        result = await client.call(HttpRequest(url=https(server)))
    assert isinstance(result, Answered)


async def test_a_missing_client_certificate_after_the_request_is_maybe_sent(
    make_client: MakeClient, server_tls: ssl.SSLContext
) -> None:
    # In TLS 1.3 the client finishes before the server has checked its certificate.
    server_tls.verify_mode = ssl.CERT_REQUIRED
    server_tls.minimum_version = ssl.TLSVersion.TLSv1_3
    async with raw_server(answer_all, server_tls) as server:
        result = await make_client(ca_file=TLS / "ca.pem").call(HttpRequest(url=https(server)))
    assert isinstance(result, MaybeSent)
    assert result.reason in {FailureReason.TLS, FailureReason.RESET}


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"ca_file": Path("/nowhere/ca.pem")}, "ca_file /nowhere/ca.pem"),
        ({"ca_file": Path(__file__)}, "ca_file"),
        ({"client_cert": Path("/nowhere/client.pem")}, "client_cert /nowhere/client.pem"),
        ({"client_cert": TLS / "ca.pem"}, "client_cert"),
        ({"client_cert": TLS / "client-with-passphrase.pem"}, "passphrase"),
        ({"proxy": "socks5://user:hunter2@127.0.0.1:1"}, "SOCKS proxy, which is not supported"),
        ({"proxy": Secret("nonsense hunter2")}, "of an unknown kind"),
    ],
)
async def test_unusable_settings_are_refused_at_once(
    make_client: MakeClient, settings: dict[str, object], words: str
) -> None:
    with pytest.raises(HttpSetupError, match=words) as refusal:
        make_client(**settings)
    assert "hunter2" not in str(refusal.value)


async def test_the_proxy_of_the_settings_is_used_for_plain_http(make_client: MakeClient) -> None:
    async with raw_server(answer_all) as proxy:
        client = make_client(proxy=Secret(f"http://user:pass@127.0.0.1:{proxy.port}"))
        result = await client.call(HttpRequest(url="http://aitems.invalid/api/v1/services?offset=0"))

    assert isinstance(result, Answered)
    assert proxy.request_lines == ["GET http://aitems.invalid/api/v1/services?offset=0 HTTP/1.1"]
    assert b"proxy-authorization: basic dxnlcjpwyxnz" in proxy.received[0].lower()


async def test_a_proxy_tunnels_tls(make_client: MakeClient, server_tls: ssl.SSLContext) -> None:
    async with raw_server(answer_all, server_tls) as server:

        async def tunnel(exchange: Exchange) -> None:
            await exchange.read_head()
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            await exchange.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            try:
                await asyncio.gather(pump(exchange.reader, writer), pump(reader, exchange.writer))
            finally:
                writer.close()

        async with raw_server(tunnel) as proxy:
            client = make_client(proxy=f"http://127.0.0.1:{proxy.port}", ca_file=TLS / "ca.pem")
            result = await client.call(HttpRequest(url=https(server)))
            await client.aclose()

    assert isinstance(result, Answered)
    assert proxy.request_lines == [f"CONNECT localhost:{server.port} HTTP/1.1"]


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()


@pytest.mark.parametrize("closes", [False, True])
async def test_a_refusal_of_the_proxy_is_not_sent(make_client: MakeClient, *, closes: bool) -> None:
    async def refuse(exchange: Exchange) -> None:
        await exchange.read_head()
        if not closes:
            await exchange.answer(status="407 Proxy Authentication Required")

    async with raw_server(refuse) as proxy:
        client = make_client(proxy=f"http://127.0.0.1:{proxy.port}")
        result = await client.call(HttpRequest(method="POST", url="https://aitems.invalid/", body=b"{}"))

    assert isinstance(result, NotSent)
    assert result.reason is FailureReason.PROXY
    assert f"aitems.invalid:443 through the proxy 127.0.0.1:{proxy.port}" in result.detail
    assert ("status 407" in result.detail) is not closes


async def test_a_silent_proxy_is_not_sent(make_client: MakeClient) -> None:
    async def hang(exchange: Exchange) -> None:
        await forever()

    async with raw_server(hang) as proxy:
        client = make_client(proxy=f"http://127.0.0.1:{proxy.port}", timeout_seconds=0.3)
        result = await client.call(HttpRequest(method="POST", url="https://aitems.invalid/", body=b"{}"))
    assert isinstance(result, NotSent)
    assert result.reason is FailureReason.DEADLINE


@pytest.mark.parametrize("spelling", ["http_proxy", "HTTP_PROXY", "ALL_PROXY"])
async def test_the_proxy_of_the_environment_is_used(
    make_client: MakeClient, monkeypatch: pytest.MonkeyPatch, spelling: str
) -> None:
    async with raw_server(answer_all) as proxy:
        monkeypatch.setenv(spelling, f"127.0.0.1:{proxy.port}")
        result = await make_client().call(HttpRequest(url="http://aitems.invalid/"))
    assert isinstance(result, Answered)
    assert proxy.request_lines == ["GET http://aitems.invalid/ HTTP/1.1"]


async def test_hosts_in_no_proxy_are_called_directly(make_client: MakeClient, monkeypatch: pytest.MonkeyPatch) -> None:
    async with raw_server(answer_all) as proxy:
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{proxy.port}")
        monkeypatch.setenv("NO_PROXY", "example.com,.invalid")
        result = await make_client().call(HttpRequest(url="http://aitems.invalid/"))
    assert isinstance(result, NotSent)
    assert result.reason is FailureReason.DNS


async def test_loopback_never_uses_the_proxy_of_the_environment(
    make_client: MakeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    async with raw_server(answer_all) as server:
        result = await make_client().call(HttpRequest(url=server.url))
    assert isinstance(result, Answered)


@pytest.mark.parametrize(
    ("proxy", "words"),
    [
        ("socks5h://user:hunter2@127.0.0.1:1", "ALL_PROXY is a SOCKS proxy, which is not supported"),
        ("socks4://127.0.0.1:1", "ALL_PROXY is a SOCKS proxy, which is not supported"),
        ("quic://user:hunter2@127.0.0.1:1", "ALL_PROXY is of an unknown kind"),
    ],
)
async def test_an_unknown_kind_of_proxy_in_the_environment_is_reported(
    make_client: MakeClient, monkeypatch: pytest.MonkeyPatch, proxy: str, words: str
) -> None:
    monkeypatch.setenv("ALL_PROXY", proxy)
    result = await make_client().call(HttpRequest(url="http://aitems.invalid/"))
    assert isinstance(result, NotSent)
    assert result.reason is FailureReason.PROXY_KIND
    assert words in result.detail
    assert "hunter2" not in result.detail
    outcome = outcome_without_answer(result, redactor_for(None, ()))
    assert isinstance(outcome, Refused)
    assert words in reason_text(outcome.reason)
    assert "url and headers" not in reason_text(outcome.reason)


def test_peers_share_the_authorities_of_the_system() -> None:
    assert tls_context(HttpSettings()) is tls_context(HttpSettings(timeout_seconds=1.0))


@pytest.mark.parametrize("place", ["ca_file", "client_cert"])
def test_a_peer_with_a_file_of_its_own_shares_nothing(place: str) -> None:
    own: dict[str, Path] = {place: TLS / ("ca.pem" if place == "ca_file" else "client.pem")}
    context = tls_context(HttpSettings(**own))  # type: ignore[arg-type]  # one of the files
    assert context is not tls_context(HttpSettings())
    assert context is not tls_context(HttpSettings(**own))  # type: ignore[arg-type]  # as above


def test_authorities_that_have_changed_are_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authorities = tmp_path / "ca.pem"
    authorities.write_bytes((TLS / "ca.pem").read_bytes())
    system = tls_context(HttpSettings())
    monkeypatch.setenv("SSL_CERT_FILE", str(authorities))
    first = tls_context(HttpSettings())
    assert first is not system
    assert first is tls_context(HttpSettings())
    os.utime(authorities, ns=(1, 1))
    assert first is not tls_context(HttpSettings())
