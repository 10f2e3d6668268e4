"""Lookups in threads: each query runs once at a time, and none waits for another."""

from __future__ import annotations

import asyncio
import socket
import threading
from contextlib import suppress
from typing import Any

import pytest

from watcher.cli.runtime import new_loop

FOUND = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.1", 443))]


class FakeResolver:
    """Resolves every name at once, except "silent…" names, which block until the end of the test."""

    def __init__(self) -> None:
        self.queries: list[str] = []
        self.end_of_test = threading.Event()

    def getaddrinfo(self, host: Any, *args: Any) -> list[Any]:
        self.queries.append(host)
        if host.startswith("silent"):
            self.end_of_test.wait(30)
        if host.startswith("invalid"):
            raise ValueError("embedded null character")
        if host.startswith("none"):
            raise socket.gaierror(socket.EAI_NONAME, "no such name")
        return FOUND


@pytest.fixture
def resolver(monkeypatch: pytest.MonkeyPatch) -> Any:
    resolver = FakeResolver()
    monkeypatch.setattr(socket, "getaddrinfo", resolver.getaddrinfo)
    yield resolver
    resolver.end_of_test.set()


async def look_up(host: str, seconds: float = 30) -> list[Any]:
    async with asyncio.timeout(seconds):
        return await asyncio.get_running_loop().getaddrinfo(host, 443, type=socket.SOCK_STREAM)


async def test_many_unanswered_names_do_not_delay_another(resolver: FakeResolver) -> None:
    open_queries = [asyncio.create_task(look_up(f"silent{number}.example")) for number in range(40)]
    assert await look_up("known.example") == FOUND
    resolver.end_of_test.set()
    assert await asyncio.gather(*open_queries) == [FOUND] * 40


async def test_an_unanswered_name_is_queried_once_for_all_callers(resolver: FakeResolver) -> None:
    for _ in range(20):
        with suppress(TimeoutError):
            await look_up("silent.example", seconds=0.01)
    last = asyncio.create_task(look_up("silent.example"))
    resolver.end_of_test.set()
    assert await last == FOUND
    assert resolver.queries == ["silent.example"]


async def test_answers_are_not_cached(resolver: FakeResolver) -> None:
    await look_up("known.example")
    await look_up("known.example")
    assert resolver.queries == ["known.example"] * 2


async def test_every_caller_gets_the_error_of_an_unknown_name(resolver: FakeResolver) -> None:
    both = await asyncio.gather(look_up("none.example"), look_up("none.example"), return_exceptions=True)
    assert [type(error) for error in both] == [socket.gaierror] * 2
    assert resolver.queries == ["none.example"]


async def test_an_invalid_name_raises_at_once_each_time(resolver: FakeResolver) -> None:
    for _ in range(2):
        with pytest.raises(ValueError, match="null"):
            await look_up("invalid\0.example", seconds=5)
    assert len(resolver.queries) == 2


def test_an_unanswered_name_does_not_delay_the_end(resolver: FakeResolver) -> None:
    async def ask() -> None:
        with suppress(TimeoutError):
            await look_up("silent.example", seconds=0.01)

    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(ask())
    assert not resolver.end_of_test.is_set(), "the runner ended before the answer"
    assert {thread.daemon for thread in threading.enumerate() if thread.name == "resolver"} == {True}
