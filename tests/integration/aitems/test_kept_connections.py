"""Polls over kept connections that AiTEMS closes around the next request."""

from __future__ import annotations

import json

from tests.integration.aitems.test_client import RECORD, REF, result
from tests.integration.http.raw_server import Exchange, raw_server
from tests.support.keys import FixedKeys
from watcher.aitems.budget import Budget
from watcher.aitems.client import AccountSpec, AitemsClient
from watcher.aitems.signing import KeyPair
from watcher.clock import Clock
from watcher.core.secret import Secret
from watcher.http import KEPT_TRIES, HttpClient, HttpRequest, HttpSettings


async def test_no_poll_fails_and_every_request_takes_a_slot_of_the_budget() -> None:
    arrived = 0

    async def answer_once(exchange: Exchange) -> None:
        nonlocal arrived
        await exchange.read_head()
        arrived += 1
        await exchange.answer(json.dumps(RECORD).encode())
        await exchange.reader.readuntil(b"\r\n\r\n")
        arrived += 1

    clock, counted = Clock(), 0

    def count() -> None:
        nonlocal counted
        counted += 1

    http = HttpClient(HttpSettings(timeout_seconds=5.0), clock)
    budget = Budget(per_second=1_000.0, max_concurrency=1, clock=clock, on_request=count)
    keys = FixedKeys(KeyPair(Secret("EXAMPLEACCESSKEY0001"), Secret("EXAMPLESECRETKEY")))
    async with raw_server(answer_once) as server:
        account = AccountSpec(name="main", base_url=f"{server.url}/api/v1", keys=keys)
        api = AitemsClient(http, account, clock, budget)
        for _ in range(5):
            result(await api.view(REF))
        await http.aclose()
    assert arrived == counted == 9


async def test_other_calls_that_leave_kept_connections_do_not_repeat_a_poll_for_ever() -> None:
    closed = counted = 0

    async def behave(exchange: Exchange) -> None:
        nonlocal closed
        await exchange.read_head()
        await exchange.answer(json.dumps(RECORD).encode())
        await exchange.reader.readuntil(b"\r\n\r\n")
        closed += 1
        if closed < 12:
            # The connection under the poll is in use, so that this one is new, and is kept.
            await http.call(HttpRequest(url=server.url))

    def count() -> None:
        nonlocal counted
        counted += 1

    clock = Clock()
    http = HttpClient(HttpSettings(timeout_seconds=5.0), clock)
    budget = Budget(per_second=1_000.0, max_concurrency=1, clock=clock, on_request=count)
    keys = FixedKeys(KeyPair(Secret("EXAMPLEACCESSKEY0001"), Secret("EXAMPLESECRETKEY")))
    async with raw_server(behave) as server:
        account = AccountSpec(name="main", base_url=f"{server.url}/api/v1", keys=keys)
        api = AitemsClient(http, account, clock, budget)
        await http.call(HttpRequest(url=server.url))
        result(await api.view(REF))
        await http.aclose()
    assert (closed, counted) == (KEPT_TRIES, KEPT_TRIES + 1)
