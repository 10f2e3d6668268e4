"""The list of services that the online checks of an account share."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, suppress
from datetime import UTC, datetime

import pytest

from watcher.aitems.client import AitemsClient, ServicesResult
from watcher.wiring.online_checks import AccountCalls

NOW = datetime(2026, 11, 28, tzinfo=UTC)
LISTED = ServicesResult(services=(), asked_at=NOW, answered_at=NOW, digest=b"")


class Api(AitemsClient):
    """Answers with the services once a test lets it."""

    def __init__(self) -> None:
        self.calls = 0
        self.let = asyncio.Event()

    async def services(self, *, first: bool = False) -> ServicesResult:
        del first
        self.calls += 1
        await self.let.wait()
        return LISTED


@pytest.mark.parametrize("ended", [(0,), (0, 1), (2,), ()])
async def test_a_check_that_ends_early_leaves_the_list_to_the_others(ended: tuple[int, ...]) -> None:
    api = Api()
    async with AsyncExitStack() as stack:
        account = AccountCalls(api, stack)
        checks = [asyncio.create_task(account.services()) for _ in range(3)]
        await asyncio.sleep(0)
        for index in ended:
            checks[index].cancel()
            with suppress(asyncio.CancelledError):
                await checks[index]
        api.let.set()
        assert [await check for check in checks if not check.cancelled()] == [LISTED] * (3 - len(ended))
        assert await account.services() == LISTED
    assert api.calls == 1


async def test_the_call_ends_with_the_checks() -> None:
    api = Api()
    async with AsyncExitStack() as stack:
        waiting = asyncio.create_task(AccountCalls(api, stack).services())
        await asyncio.sleep(0)
    with pytest.raises(asyncio.CancelledError):
        await waiting
