"""Decisions about an account run in order, also while the store cannot be written."""

from __future__ import annotations

import asyncio
from functools import partial

import pytest

from watcher.core.batch import NotSavedError
from watcher.pipeline.polling import account_writer
from watcher.pipeline.polling.account_writer import AccountWriter


class Store:
    """Fails so many writes, then saves."""

    def __init__(self, failures: int) -> None:
        self.failures = failures
        self.saved: list[str] = []

    async def save(self, result: str) -> str:
        await asyncio.sleep(0)
        if self.failures:
            self.failures -= 1
            raise NotSavedError("io-error")
        self.saved.append(result)
        return result


@pytest.fixture(autouse=True)
def _no_delay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(account_writer, "RETRY_SECONDS", 0)


async def test_a_result_that_cannot_be_saved_is_retried_before_later_results() -> None:
    store, writer = Store(failures=5), AccountWriter()
    results = ["first", "second", "third"]
    returned = await asyncio.gather(*(writer.run("main", partial(store.save, result)) for result in results))
    assert (store.saved, list(returned)) == (results, results)


async def test_an_account_does_not_wait_for_another() -> None:
    failing, working, writer = Store(failures=10**9), Store(failures=0), AccountWriter()
    waiting = asyncio.create_task(writer.run("failing", partial(failing.save, "late")))
    assert await writer.run("working", partial(working.save, "soon")) == "soon"
    waiting.cancel()


async def test_a_command_that_polls_once_does_not_wait() -> None:
    writer = AccountWriter()
    writer.fail_fast()
    with pytest.raises(NotSavedError):
        await writer.run("main", partial(Store(failures=1).save, "result"))


async def test_after_a_bug_the_next_result_has_its_turn() -> None:
    async def crash() -> None:
        raise ZeroDivisionError

    writer = AccountWriter()
    with pytest.raises(ZeroDivisionError):
        await writer.run("main", crash)
    assert await writer.run("main", partial(Store(failures=0).save, "next")) == "next"


async def test_a_pause_waits_for_the_decision_under_way_and_holds_the_next() -> None:
    store, writer = Store(failures=0), AccountWriter()
    first = asyncio.create_task(writer.run("main", partial(store.save, "first")))
    await asyncio.sleep(0)
    async with writer.paused():
        second = asyncio.create_task(writer.run("other", partial(store.save, "second")))
        for _ in range(10):
            await asyncio.sleep(0)
        assert store.saved == ["first"]
    await asyncio.gather(first, second)
    assert store.saved == ["first", "second"]


async def test_a_pause_does_not_wait_for_the_store() -> None:
    store, writer = Store(failures=10**9), AccountWriter()
    results = ["first", "second"]
    waiting = [asyncio.create_task(writer.run("main", partial(store.save, result))) for result in results]
    await asyncio.sleep(0)
    async with asyncio.timeout(5), writer.paused():
        store.failures = 0
    await asyncio.gather(*waiting)
    assert store.saved == results
