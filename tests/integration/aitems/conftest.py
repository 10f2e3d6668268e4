"""A client of one account, and a server with scripted answers."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

import pytest

from tests.integration.http.raw_server import Exchange, RawServer, raw_server
from tests.support.keys import FixedKeys
from watcher.aitems.budget import Budget
from watcher.aitems.client import AccountSpec, AitemsClient
from watcher.aitems.signing import KeyPair
from watcher.clock import Clock
from watcher.core.secret import Secret
from watcher.http import HttpClient, HttpSettings

ACCESS_KEY = "EXAMPLEACCESSKEY0001"
SECRET_KEY = "EXAMPLESECRETKEY00000000000000000000000001"

MakeApi = Callable[..., AitemsClient]


@dataclass
class Script:
    """The server's answers in order, each (status line, head, body); the last one is repeated."""

    answers: list[tuple[str, str, bytes]] = field(default_factory=list)

    def add(self, body: object, status: str = "200 OK", head: str = "") -> None:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.answers.append((status, head, data))

    async def behave(self, exchange: Exchange) -> None:
        while True:
            await exchange.read_head()
            status, head, body = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
            await exchange.answer(body, status=status, head=head)


@pytest.fixture
def script() -> Script:
    return Script()


@pytest.fixture
async def server(script: Script) -> AsyncIterator[RawServer]:
    async with raw_server(script.behave) as running:
        yield running


@pytest.fixture
async def make_api(server: RawServer) -> AsyncIterator[MakeApi]:
    clients: list[HttpClient] = []

    def make(base_url: str | None = None, per_second: float = 10_000.0) -> AitemsClient:
        clock = Clock()
        http = HttpClient(HttpSettings(timeout_seconds=5.0), clock)
        clients.append(http)
        account = AccountSpec(
            name="main",
            base_url=base_url or f"{server.url}/api/v1",
            keys=FixedKeys(KeyPair(Secret(ACCESS_KEY), Secret(SECRET_KEY))),
        )
        return AitemsClient(http, account, clock, Budget(per_second=per_second, max_concurrency=8, clock=clock))

    yield make
    for http in clients:
        await http.aclose()


@pytest.fixture
def api(make_api: MakeApi) -> AitemsClient:
    return make_api()
