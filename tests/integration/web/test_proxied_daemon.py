"""The daemon with a base path and a trusted proxy: the parts of the listener share the settings and the guesses."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.integration.web.test_daemon import NO_WEB
from tests.integration.web.test_listener import ask, get
from tests.integration.web.test_listener_limits import kept_alive
from tests.support import daemon_in_process
from tests.support.servers import Inbox, listening
from watcher.app import Daemon
from watcher.simulator import Simulator, serve
from watcher.web.html.session import Sessions
from watcher.web.listener import CONNECTIONS_OF_ONE, Listener

WEB = """[web]
listen = "127.0.0.1:0"
token = { env = "WEB_TOKEN" }
trusted_proxies = ["127.0.0.1"]
base_path = "/aitems"
"""
METRICS = "/aitems/metrics"
RIGHT = "Authorization: Bearer sesame"


@pytest.fixture
async def listener(running: Daemon) -> Listener:
    found = running.health_endpoints.listener
    assert found is not None
    async with asyncio.timeout(20):
        await found.first_started.wait()
    return found


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Daemon]:
    async with serve(Simulator()) as simulator, listening(Inbox()) as hook:
        text = daemon_in_process.settings(simulator.base_url, ["6wxgu1abcde"], {"hook": hook.url}).replace(NO_WEB, WEB)
        async with daemon_in_process.running(tmp_path, text, {"WEB_TOKEN": "sesame"}) as daemon:
            yield daemon


async def status_of(listener: Listener, client: str, *headers: str, path: str = METRICS) -> int:
    return (await ask(listener.port, get(path, f"X-Forwarded-For: {client}", *headers)))[0]


async def test_wrong_cookies_and_wrong_tokens_of_one_client_are_the_same_guesses(
    running: Daemon, listener: Listener
) -> None:
    name = Sessions(None, store=running.database.epoch).cookie
    attacker, other = "203.0.113.9", "198.51.100.7"
    for number in range(3):
        assert await status_of(listener, attacker, f"Authorization: Bearer {number}") == 401
        # The form for the token is open, and it shows whether a cookie is right.
        cookie = f"Cookie: {name}=9999999999~a~kim.{number}"
        assert await status_of(listener, attacker, cookie, path="/aitems/login") == (200 if number < 2 else 429)
    assert await status_of(listener, attacker, RIGHT) == 429
    assert await status_of(listener, attacker, path="/aitems/login") == 200
    assert await status_of(listener, attacker, path="/aitems/healthz") == 200
    assert await status_of(listener, other, RIGHT) == 200


async def test_the_links_of_the_page_are_below_the_base_path(listener: Listener) -> None:
    _, _, page = await ask(listener.port, get("/aitems/login"))
    assert b'action="/aitems/login"' in page
    status, headers, _ = await ask(listener.port, get("/aitems/silences", "Accept: text/html"))
    assert (status, headers["location"]) == (303, "/aitems/login?next=%2Fsilences")


async def test_the_trusted_proxy_may_have_more_connections_than_a_client(listener: Listener) -> None:
    found = await kept_alive(listener, "127.0.0.1", CONNECTIONS_OF_ONE + 4)
    for _, writer in found:
        writer.close()
