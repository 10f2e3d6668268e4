"""HTTP clients with short limits, without the machine's own proxies."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import uvloop

from watcher.clock import Clock
from watcher.http import HttpClient, HttpSettings
from watcher.resolver import with_threaded_resolver

TLS = Path(__file__).parent / "tls"
PROXY_VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Run every test on both loops: their errors differ, but the results must not."""
    return {"asyncio": with_threaded_resolver(asyncio.SelectorEventLoop), "uvloop": with_threaded_resolver(uvloop.Loop)}


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in PROXY_VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture
async def make_client() -> AsyncIterator[Callable[..., HttpClient]]:
    """Return a factory of clients, which are closed after the test."""
    clients: list[HttpClient] = []

    def make(**settings: Any) -> HttpClient:
        client = HttpClient(HttpSettings(**{"timeout_seconds": 5.0, "max_body_bytes": 1000, **settings}), Clock())
        clients.append(client)
        return client

    yield make
    for client in clients:
        await client.aclose()


@pytest.fixture
def server_tls() -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=TLS / "ca.pem")
    context.load_cert_chain(TLS / "server.pem")
    return context
