"""Probes of a peer: each step, and never a request."""

from __future__ import annotations

import asyncio
import ssl

import pytest

from tests.integration.http.conftest import TLS
from tests.integration.http.raw_server import Exchange, RawServer, forever, raw_server
from watcher.core.secret import Secret
from watcher.http import FailureReason, HttpSettings, HttpSetupError
from watcher.http.probe import probe

SETTINGS = HttpSettings(timeout_seconds=5.0)
TRUSTING = HttpSettings(timeout_seconds=5.0, ca_file=TLS / "ca.pem")


async def keep_received(exchange: Exchange) -> None:
    exchange.received.append(await exchange.reader.read())


async def wait_until_closed(server: RawServer) -> None:
    """Wait until the connection is closed."""
    async with asyncio.timeout(5):
        while not server.received:
            await asyncio.sleep(0.01)


async def stay_silent(_exchange: Exchange) -> None:
    await forever()


async def test_a_listening_peer_is_reached_without_a_byte() -> None:
    async with raw_server(keep_received) as server:
        found = await probe(Secret(f"{server.url}/hooks/secret"), SETTINGS)
        assert found.failure is None
        assert found.detail == f"127.0.0.1:{server.port}: name and TCP, without TLS"
        await wait_until_closed(server)
    assert server.received == [b""]


async def test_the_tls_handshake_is_made_and_checked(server_tls: ssl.SSLContext) -> None:
    async with raw_server(keep_received, server_tls) as server:
        found = await probe(f"https://localhost:{server.port}/hook", TRUSTING)
        assert (found.failure, found.detail) == (None, f"localhost:{server.port}: name, TCP and TLS")
        await wait_until_closed(server)
    assert server.received == [b""]


async def test_an_untrusted_certificate_is_a_tls_failure(server_tls: ssl.SSLContext) -> None:
    async with raw_server(keep_received, server_tls) as server:
        found = await probe(f"https://localhost:{server.port}/hook", SETTINGS)
    assert found.failure is FailureReason.TLS
    assert "the certificate is not accepted" in found.detail


async def test_a_peer_that_closes_during_the_handshake_is_a_tls_failure() -> None:
    async def hang_up(exchange: Exchange) -> None:
        await exchange.reader.read(1)

    async with raw_server(hang_up) as server:
        found = await probe(f"https://127.0.0.1:{server.port}/hook", TRUSTING)
    assert found.failure is FailureReason.TLS


async def test_a_closed_port_is_a_connection_failure() -> None:
    found = await probe("http://127.0.0.1:1/hook", SETTINGS)
    assert (found.failure, found.detail) == (FailureReason.CONNECT, "127.0.0.1:1: no connection: Connection refused")


@pytest.mark.parametrize("host", ["nowhere.invalid", "a" * 64 + ".invalid"])
async def test_an_unknown_name_is_a_dns_failure(host: str) -> None:
    found = await probe(f"https://{host}/hook", SETTINGS)
    assert found.failure is FailureReason.DNS
    assert found.detail.startswith(f"{host}:443: the name cannot be resolved")


async def test_a_silent_peer_fails_at_the_deadline() -> None:
    async with raw_server(stay_silent) as server:
        settings = HttpSettings(timeout_seconds=0.2, ca_file=TLS / "ca.pem")
        found = await probe(f"https://127.0.0.1:{server.port}/hook", settings)
    assert (found.failure, found.detail) == (FailureReason.DEADLINE, f"127.0.0.1:{server.port}: nothing within 0.2 s")


async def test_with_a_proxy_only_the_proxy_is_probed() -> None:
    async with raw_server(keep_received) as server:
        settings = HttpSettings(timeout_seconds=5.0, proxy=server.url)
        found = await probe("https://nowhere.invalid/hook", settings)
    assert found.failure is None
    assert found.detail.startswith(f"127.0.0.1:{server.port}: name and TCP, without TLS; this is the proxy")


async def test_an_unreadable_certificate_is_an_error_of_the_settings() -> None:
    with pytest.raises(HttpSetupError):
        await probe("https://localhost/hook", HttpSettings(ca_file=TLS / "README.md"))
