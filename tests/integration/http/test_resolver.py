"""Names are looked up aside: one question once at a time, and none waits for another."""

from __future__ import annotations

import asyncio
import socket
import threading
from contextlib import suppress
from typing import Any

import pytest

from watcher.cli.runtime import new_loop

FOUND = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.1", 443))]


class Resolver:
    """Answers for every name but those that are dark, which take until the end."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.over = threading.Event()

    def getaddrinfo(self, host: Any, *args: Any) -> list[Any]:
        self.asked.append(host)
        if host.startswith("dark"):
            self.over.wait(30)
        if host.startswith("odd"):
            raise ValueError("embedded null character")
        if host.startswith("none"):
            raise socket.gaierror(socket.EAI_NONAME, "no such name")
        return FOUND


@pytest.fixture
def resolver(monkeypatch: pytest.MonkeyPatch) -> Any:
    resolver = Resolver()
    monkeypatch.setattr(socket, "getaddrinfo", resolver.getaddrinfo)
    yield resolver
    resolver.over.set()


async def look_up(host: str, seconds: float = 30) -> list[Any]:
    async with asyncio.timeout(seconds):
        return await asyncio.get_running_loop().getaddrinfo(host, 443, type=socket.SOCK_STREAM)


async def test_many_names_without_an_answer_keep_no_other_waiting(resolver: Resolver) -> None:
    dark = [asyncio.create_task(look_up(f"dark{number}.example")) for number in range(40)]
    assert await look_up("light.example") == FOUND
    resolver.over.set()
    assert await asyncio.gather(*dark) == [FOUND] * 40


async def test_a_name_without_an_answer_is_asked_once_however_many_ask(resolver: Resolver) -> None:
    for _ in range(20):
        with suppress(TimeoutError):
            await look_up("dark.example", seconds=0.01)
    last = asyncio.create_task(look_up("dark.example"))
    resolver.over.set()
    assert await last == FOUND
    assert resolver.asked == ["dark.example"]


async def test_an_answer_is_not_kept(resolver: Resolver) -> None:
    await look_up("light.example")
    await look_up("light.example")
    assert resolver.asked == ["light.example"] * 2


async def test_a_name_that_does_not_exist_is_said_to_each_that_asks(resolver: Resolver) -> None:
    both = await asyncio.gather(look_up("none.example"), look_up("none.example"), return_exceptions=True)
    assert [type(error) for error in both] == [socket.gaierror] * 2
    assert resolver.asked == ["none.example"]


async def test_what_is_no_name_at_all_is_said_at_once_each_time(resolver: Resolver) -> None:
    for _ in range(2):
        with pytest.raises(ValueError, match="null"):
            await look_up("odd\0.example", seconds=5)
    assert len(resolver.asked) == 2


def test_a_name_without_an_answer_does_not_hold_up_the_end(resolver: Resolver) -> None:
    async def ask() -> None:
        with suppress(TimeoutError):
            await look_up("dark.example", seconds=0.01)

    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(ask())
    assert not resolver.over.is_set(), "it ended before the answer came"
    assert {thread.daemon for thread in threading.enumerate() if thread.name == "names"} == {True}
