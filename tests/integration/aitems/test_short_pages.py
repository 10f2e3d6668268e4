"""Pages shorter than their limit: more may follow them, and a usual list stays one request."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.integration.aitems.conftest import MakeApi
from tests.integration.aitems.test_client import REF, SERVICE, failure, item, page, result
from tests.integration.http.raw_server import Exchange, raw_server
from watcher.aitems import pages
from watcher.aitems.budget import Budget, BudgetSlot, Need
from watcher.aitems.client import AitemsClient, ServicesResult
from watcher.aitems.list_end import MAX_POSTPONED, MAX_REPEATS

LIMIT = 1000
FAILED = "503 Service Unavailable"


@dataclass
class ListServer:
    """Serves a list in pages of a size that its ``limit`` does not tell."""

    count: int
    size: Callable[[int], int] = lambda _offset: 10
    """From an offset to the number of shown records."""
    fields: dict[str, object] = field(default_factory=lambda: {"limit": LIMIT})
    behind: tuple[str, object] | None = None
    """The answer to an offset; ``None`` for the true one."""
    offsets: list[int] = field(default_factory=list)
    api: AitemsClient = field(init=False)

    def answer(self, offset: int) -> tuple[str, object]:
        if offset and self.behind is not None:
            return self.behind
        items = [item(number) for number in range(offset, min(offset + self.size(offset), self.count))]
        return "200 OK", page(items, offset, LIMIT) | self.fields

    async def behave(self, exchange: Exchange) -> None:
        while True:
            target = (await exchange.read_head()).split(b" ")[1].decode()
            offset = int(parse_qs(urlsplit(target).query).get("offset", ["0"])[0])
            self.offsets.append(offset)
            status, body = self.answer(offset)
            if target.partition("?")[0].endswith("/services") and isinstance(body, dict):
                names = [{"serviceId": one["version"], "status": "learnable"} for one in body.pop("trains")]
                body["services"] = names
            await exchange.answer(body if isinstance(body, bytes) else json.dumps(body).encode(), status=status)

    async def poll(self) -> int:
        """List the trainings, and return their number."""
        self.offsets.clear()
        return len(result(await self.api.list(SERVICE)).observations)

    async def deviations(self) -> tuple[str, ...]:
        return result(await self.api.list(SERVICE)).deviations


@asynccontextmanager
async def serving(make_api: MakeApi, server: ListServer) -> AsyncIterator[ListServer]:
    async with raw_server(server.behave) as running:
        server.api = make_api(f"{running.url}/api/v1")
        yield server


def shrinking(offset: int) -> int:
    return {0: 10, 10: 9, 19: 8}.get(offset, 7)


SERVERS = {
    "ever shorter pages": lambda: ListServer(46, shrinking, {"limit": 10}),
    "pages of ten with a limit of 1000": lambda: ListServer(45),
    "a limit as text": lambda: ListServer(45, fields={"limit": "1000"}),
    "no limit": lambda: ListServer(45, fields={"limit": None}),
    "one record more than shown": lambda: ListServer(11),
    "one record a page": lambda: ListServer(7, lambda _offset: 1),
    "first page full": lambda: ListServer(40, lambda offset: 3 if offset else 10, {"limit": 10}),
}


@pytest.mark.parametrize("name", SERVERS)
async def test_a_page_shorter_than_its_limit_hides_no_record(make_api: MakeApi, name: str) -> None:
    async with serving(make_api, SERVERS[name]()) as server:
        for _ in range(3):
            outcome = result(await server.api.list(SERVICE))
            assert len(outcome.observations) == server.count
            assert outcome.unreadable == ()
            assert outcome.absent([REF]) == [REF]


@pytest.mark.parametrize("name", ["ever shorter pages", "pages of ten with a limit of 1000", "a limit as text"])
async def test_records_behind_short_pages_are_a_deviation(make_api: MakeApi, name: str) -> None:
    async with serving(make_api, SERVERS[name]()) as server:
        await server.poll()
        assert pages.SHORT_PAGES in await server.deviations()
        assert pages.SHORT_PAGES in await server.deviations()


async def test_services_behind_short_pages_are_listed(make_api: MakeApi) -> None:
    async with serving(make_api, ListServer(25)) as server:
        for _ in range(2):
            answer = await server.api.services()
            assert isinstance(answer, ServicesResult)
            assert len(answer.services) == 25
            found = answer.deviations
        assert pages.SHORT_PAGES in found


ENDS: list[tuple[str, object]] = [
    ("200 OK", {"trains": [], "offset": 8, "limit": LIMIT}),
    ("200 OK", {"trains": None}),
    ("204 No Content", b""),
    ("400 Bad Request", {}),
    ("404 Not Found", {}),
    ("200 OK", page([item(number) for number in range(8)], 0, LIMIT)),
    ("200 OK", page([item(number) for number in range(4, 8)], 4, LIMIT)),
]


@pytest.mark.parametrize("end", ENDS)
async def test_a_short_page_is_confirmed_once_while_its_records_stay(
    make_api: MakeApi, end: tuple[str, object]
) -> None:
    async with serving(make_api, ListServer(8, behind=end)) as server:
        first = result(await server.api.list(SERVICE))
        assert (len(first.observations), first.unreadable) == (8, ())
        assert first.absent([REF]) == [REF]
        assert not [text for text in first.deviations if "unlike" in text]
        assert server.offsets == [0, 8]
        for _ in range(3):
            assert await server.poll() == 8
            assert server.offsets == [0]


async def test_a_list_that_grows_beyond_the_shown_page_is_read_to_its_end(make_api: MakeApi) -> None:
    async with serving(make_api, ListServer(8)) as server:
        assert await server.poll() == 8
        server.count = 12
        assert await server.poll() == 12
        assert await server.poll() == 12


async def test_a_list_that_grows_from_just_the_shown_page_is_read_after_some_lists(make_api: MakeApi) -> None:
    async with serving(make_api, ListServer(10)) as server:
        assert await server.poll() == 10
        server.count = 11
        assert 11 in [await server.poll() for _ in range(MAX_REPEATS + 1)]


async def test_a_short_page_with_other_records_is_confirmed_again(make_api: MakeApi) -> None:
    async with serving(make_api, ListServer(8)) as server:
        await server.poll()
        server.answer = lambda offset: (  # type: ignore[method-assign]
            "200 OK",
            page([] if offset else [item(number) for number in range(1, 9)], offset, LIMIT),
        )
        assert await server.poll() == 8
        assert server.offsets == [0, 8]


@pytest.mark.parametrize(
    "failed",
    [(FAILED, {}), ("500 Oops", b""), ("401 Unauthorized", {}), ("200 OK", b"<html>"), ("200 OK", {"services": []})],
)
async def test_a_failed_request_behind_a_short_page_fails_no_list_and_is_repeated(
    make_api: MakeApi, failed: tuple[str, object]
) -> None:
    async with serving(make_api, ListServer(8, behind=failed)) as server:
        asked = []
        for _ in range(8):
            assert await server.poll() == 8
            asked.append(server.offsets == [0, 8])
        assert asked == [True, True, False, True, False, False, False, True]
        server.behind, server.count = None, 9
        server.size = lambda _offset: 8
        assert 9 in [await server.poll() for _ in range(8)]


async def test_a_failed_request_behind_a_page_that_was_not_the_end_fails_the_list(make_api: MakeApi) -> None:
    async with serving(make_api, ListServer(25)) as server:
        assert await server.poll() == 25
        server.behind = (FAILED, {})
        for _ in range(2):
            assert failure(await server.api.list(SERVICE)).http_status == 503
        server.behind = None
        assert await server.poll() == 25


async def test_a_training_created_between_two_requests_is_no_deviation(make_api: MakeApi) -> None:
    async with serving(make_api, ListServer(8, lambda _offset: 1000)) as server:
        true_answer = server.answer

        def answer(offset: int) -> tuple[str, object]:
            server.count += offset == 8
            return true_answer(offset)

        server.answer = answer  # type: ignore[method-assign]
        assert await server.poll() == 9
        for _ in range(3):
            assert await server.poll() == 9
            assert server.offsets == [0]
        assert pages.SHORT_PAGES not in await server.deviations()
        # The record that came between two requests makes no later failure a failed list.
        server.behind = (FAILED, {})
        assert await server.poll() == 9


async def test_a_reached_total_needs_no_further_request(make_api: MakeApi) -> None:
    async with serving(make_api, ListServer(8, fields={"totalCount": 8})) as server:
        assert await server.poll() == 8
        assert server.offsets == [0]


async def test_a_request_behind_a_short_page_takes_its_slot_of_the_budget(
    make_api: MakeApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving(make_api, ListServer(8)) as server:
        taken: list[tuple[bool, bool]] = []
        budget = server.api._budget
        slot = budget.slot

        def counted(*, first: bool, need: Need) -> AbstractAsyncContextManager[BudgetSlot]:
            taken.append((first, need is not Need.REQUIRED))
            return slot(first=first, need=need)

        monkeypatch.setattr(budget, "slot", counted)
        await server.api.list(SERVICE, first=True)
        await server.api.list(SERVICE)
        await server.api.view(REF)
    assert taken == [(True, False), (True, True), (False, False), (False, False)]


def pause(budget: Budget) -> Callable[[], None]:
    budget.pause_for(0.05)
    return lambda: None


def end_a_pause(budget: Budget) -> Callable[[], None]:
    budget.pause_for(0.0)
    return lambda: None


def open_a_connection(budget: Budget) -> Callable[[], None]:
    opening = asyncio.create_task(budget.wait(first=False))
    return lambda: budget.release(opening.result())


@pytest.mark.parametrize("hinder", [pause, end_a_pause, open_a_connection])
async def test_a_list_waits_for_no_room_in_the_budget_and_a_later_one_is_read_to_its_end(
    make_api: MakeApi, monkeypatch: pytest.MonkeyPatch, hinder: Callable[[Budget], Callable[[], None]]
) -> None:
    async with serving(make_api, ListServer(25)) as server:
        true_answer, undo = server.answer, []

        def answer(offset: int) -> tuple[str, object]:
            undo.append(hinder(server.api._budget))
            return true_answer(offset)

        monkeypatch.setattr(server, "answer", answer)
        assert (await server.poll(), server.offsets) == (10, [0])
        undo[0]()
        monkeypatch.setattr(server, "answer", true_answer)
        monkeypatch.setattr("watcher.aitems.budget.CALM_SECONDS", 0.0)
        assert await server.poll() == 25


async def test_a_list_does_not_wait_for_a_pause_that_begins_before_the_request_behind_it(make_api: MakeApi) -> None:
    async with serving(lambda url: make_api(url, per_second=0.01), ListServer(8)) as server:
        asyncio.get_running_loop().call_later(0.1, server.api._budget.pause_for, 900.0)
        assert (await server.poll(), server.offsets) == (8, [0])


async def test_a_429_to_the_request_behind_a_short_page_holds_no_list_back(make_api: MakeApi) -> None:
    behind = ("429 Too Many Requests", {"error": {"errorCode": "400"}})
    async with serving(make_api, ListServer(8, behind=behind)) as server:
        assert (await server.poll(), server.offsets) == (8, [0, 8])


async def test_while_the_budget_is_always_full_a_list_is_read_to_its_end_after_some_others(make_api: MakeApi) -> None:
    async with serving(make_api, ListServer(25)) as server:
        budget, is_over = server.api._budget, asyncio.Event()

        async def keep_full() -> None:
            while not is_over.is_set():
                async with budget.slot() as slot:
                    slot.on_write()
                    await asyncio.sleep(0.001)

        others = [asyncio.create_task(keep_full()) for _ in range(2 * budget.max_concurrency)]
        counts = [await server.poll() for _ in range(MAX_POSTPONED + 3)]
        is_over.set()
        await asyncio.gather(*others)
    assert counts == [10] * MAX_POSTPONED + [25] * 3
