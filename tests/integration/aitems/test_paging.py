"""Lists of any size: they are read to their end, or the failure names the limit."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.integration.aitems.conftest import MakeApi, Script
from tests.integration.aitems.test_client import RECORD, REF, SERVICE, failure, item, page, result
from tests.integration.http.raw_server import Exchange, raw_server
from watcher.aitems import pages
from watcher.aitems.client import AitemsClient
from watcher.core.polling.result import Cause, PollOutcome

Answer = Callable[[int, int], tuple[str, object]]
"""From an offset and a limit to status line and body."""


async def listed(make_api: MakeApi, answer: Answer, limit: int) -> PollOutcome:
    async def behave(exchange: Exchange) -> None:
        while True:
            head = await exchange.read_head()
            query = parse_qs(urlsplit(head.split(b" ")[1].decode()).query)
            offset, asked = (int(query.get(name, [usual])[0]) for name, usual in (("offset", 0), ("limit", limit)))
            status, body = answer(offset, asked)
            await exchange.answer(body if isinstance(body, bytes) else json.dumps(body).encode(), status=status)

    async with raw_server(behave) as server:
        return await make_api(f"{server.url}/api/v1").list(SERVICE)


def of(count: int, *, behind: tuple[str, object] | None = None) -> Answer:
    """Serve so many trainings; ``behind`` is the answer to an offset behind the last one."""

    def answer(offset: int, limit: int) -> tuple[str, object]:
        if offset >= count and behind is not None:
            return behind
        return "200 OK", page([item(number) for number in range(offset, min(offset + limit, count))], offset, limit)

    return answer


@pytest.mark.parametrize(("count", "limit"), [(600, 10), (120, 1), (1001, 1000), (2000, 1000), (7, 3)])
async def test_every_page_of_any_size_is_read(make_api: MakeApi, count: int, limit: int) -> None:
    outcome = result(await listed(make_api, of(count), limit))
    assert len(outcome.observations) == count
    assert outcome.unreadable == ()


@pytest.mark.parametrize(
    ("status", "body"),
    [
        ("400 Bad Request", {"error": {"errorCode": "100", "message": "Bad Request Exception"}}),
        ("404 Not Found", {"timestamp": "t", "status": 404, "error": "Not Found"}),
        ("404 Not Found", b""),
        ("416 Range Not Satisfiable", b"<html></html>"),
        ("422 Unprocessable Entity", {"message": "offset out of range"}),
        ("204 No Content", b""),
        ("200 OK", b""),
        ("200 OK", b" \n"),
        ("200 OK", {"trains": None, "offset": 20, "limit": 10}),
        ("200 OK", {"trains": [], "offset": 20, "limit": 10}),
    ],
)
async def test_an_offset_without_content_behind_a_full_page_ends_the_list(
    make_api: MakeApi, status: str, body: object
) -> None:
    outcome = result(await listed(make_api, of(20, behind=(status, body)), 10))
    assert len(outcome.observations) == 20
    assert outcome.absent([REF]) == [REF]


@pytest.mark.parametrize("status", ["400 Bad Request", "404 Not Found"])
async def test_a_refused_first_page_is_a_failure(make_api: MakeApi, status: str) -> None:
    assert failure(await listed(make_api, of(0, behind=(status, {})), 10)).http_status == int(status[:3])


@pytest.mark.parametrize(
    ("status", "body"), [("204 No Content", b""), ("200 OK", b""), ("200 OK", {"trains": None}), ("200 OK", {})]
)
async def test_a_first_page_without_content_is_a_bad_answer(make_api: MakeApi, status: str, body: object) -> None:
    assert failure(await listed(make_api, of(0, behind=(status, body)), 10)).cause is Cause.BAD_ANSWER


@pytest.mark.parametrize("status", ["401 Unauthorized", "429 Too Many", "500 Oops", "503 Away"])
async def test_another_failure_behind_a_full_page_fails_the_list(make_api: MakeApi, status: str) -> None:
    assert failure(await listed(make_api, of(20, behind=(status, {})), 10)).http_status == int(status[:3])


@pytest.mark.parametrize(
    ("count", "fields"),
    [(10_000, {}), (1_000, {"description": "a, b, " * 200}), (2_300, {"hpConfig": {str(n): n for n in range(45)}})],
)
async def test_thousands_of_versions_in_one_answer_are_read(
    api: AitemsClient, script: Script, count: int, fields: dict[str, Any]
) -> None:
    script.add(page([{**item(number), **fields} for number in range(count)], 0, 100_000))
    assert len(result(await api.list(SERVICE)).observations) == count


async def test_an_item_that_shifts_to_the_next_page_counts_once(make_api: MakeApi) -> None:
    def answer(offset: int, limit: int) -> tuple[str, object]:
        # A new training at the front moves every later one by one place.
        first = offset - 1 if offset else 0
        return "200 OK", page([item(number) for number in range(first, min(first + limit, 25))], offset, limit)

    outcome = result(await listed(make_api, answer, 10))
    assert len(outcome.observations) == 25
    assert outcome.unreadable == ()


@pytest.mark.parametrize(("count", "limit", "shown"), [(20, 10, 10), (9, 3, 9), (9, 9, 9), (1, 1, 1)])
async def test_a_page_that_repeats_the_whole_list_ends_it(
    make_api: MakeApi, count: int, limit: int, shown: int
) -> None:
    def answer(_offset: int, _limit: int) -> tuple[str, object]:
        return "200 OK", page([item(number) for number in range(min(count, shown))], 0, limit)

    outcome = result(await listed(make_api, answer, limit))
    assert len(outcome.observations) == shown
    assert outcome.unreadable == ()
    assert pages.IGNORED_OFFSET in outcome.deviations
    assert outcome.absent([REF]) == [REF]


async def test_a_repeated_list_reports_its_unreadable_record_once(make_api: MakeApi) -> None:
    answer = "200 OK", page([item(1), item(2), {**item(3), "status": None}], 0, 3)
    outcome = result(await listed(make_api, lambda _offset, _limit: answer, 3))
    assert (len(outcome.observations), len(outcome.unreadable)) == (2, 1)


@pytest.mark.parametrize("bad", [None, "v9", {}, item(3) | {"status": None}], ids=repr)
async def test_an_unreadable_record_on_each_page_does_not_make_a_list_endless(make_api: MakeApi, bad: Any) -> None:
    def answer(offset: int, limit: int) -> tuple[str, object]:
        pages_asked.append(offset)
        records = [item(number) for number in range(offset, 3)]
        return "200 OK", page([*records, bad], offset, limit)

    pages_asked: list[int] = []
    outcome = result(await listed(make_api, answer, 10))
    assert (len(outcome.observations), len(outcome.unreadable)) == (3, 1)
    assert pages_asked == [0, 4]


async def test_full_pages_of_equal_unreadable_records_do_not_end_a_list(make_api: MakeApi) -> None:
    def answer(offset: int, limit: int) -> tuple[str, object]:
        records: list[Any] = [None] * 4 + [item(number) for number in range(3)]
        return "200 OK", page(records[offset : offset + limit], offset, limit)

    outcome = result(await listed(make_api, answer, 2))
    assert (len(outcome.observations), len(outcome.unreadable)) == (3, 4)


async def test_a_page_that_repeats_a_part_of_the_list_proves_no_absence(make_api: MakeApi) -> None:
    outcome = result(await listed(make_api, lambda offset, limit: of(20)(min(offset, 5), limit), 5))
    assert len(outcome.observations) == 10
    assert [record.reason for record in outcome.unreadable] == [pages.REPEATED_PAGE.reason]
    assert outcome.absent([REF]) == []


@pytest.mark.parametrize("count", [9, 7, 3])
@pytest.mark.parametrize(
    "fields",
    [
        {"limit": None},
        {"limit": "3"},
        {"limit": " 3 "},
        {"limit": 3.0},
        {"limit": 0},
        {"limit": -1},
        {"limit": "all"},
        {"limit": None, "totalCount": 9},
        {"limit": 1000, "totalCount": 9},
        {"limit": None, "total": "all"},
        {"offset": None, "limit": None},
    ],
)
async def test_pages_are_read_to_the_end_whatever_their_limit_says(
    make_api: MakeApi, count: int, fields: dict[str, object]
) -> None:
    totals = {name: count for name in fields if name == "totalCount"}

    def answer(offset: int, _limit: int) -> tuple[str, object]:
        return "200 OK", page([item(n) for n in range(offset, min(offset + 3, count))], offset, 3) | fields | totals

    outcome = result(await listed(make_api, answer, 3))
    assert len(outcome.observations) == count
    assert outcome.unreadable == ()
    assert outcome.absent([REF]) == [REF]


async def test_a_list_without_a_limit_whose_total_is_reached_is_one_call(make_api: MakeApi) -> None:
    asked: list[int] = []

    def answer(offset: int, _limit: int) -> tuple[str, object]:
        asked.append(offset)
        return "200 OK", page([item(n) for n in range(3)], offset, 3) | {"limit": None, "totalCount": 3}

    assert len(result(await listed(make_api, answer, 3)).observations) == 3
    assert asked == [0]


async def test_a_page_that_begins_too_late_proves_no_absence(make_api: MakeApi) -> None:
    outcome = result(await listed(make_api, lambda offset, limit: of(30)(offset and offset + 5, limit), 10))
    assert len(outcome.observations) == 25
    assert outcome.unreadable[0].reason == pages.GAP.reason
    assert outcome.absent([REF]) == []


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("MAX_RECORDS", 50, "more than 50 records"),
        ("MAX_LIST_BYTES", 5_000, "larger than 0 MiB"),
        ("MAX_DURATION", timedelta(), "does not end within"),
    ],
)
async def test_a_list_beyond_a_limit_is_a_bad_answer_that_names_it(
    make_api: MakeApi, monkeypatch: pytest.MonkeyPatch, name: str, value: object, text: str
) -> None:
    monkeypatch.setattr(pages, name, value)
    problem = failure(await listed(make_api, of(1_000_000), 10))
    assert problem.cause is Cause.BAD_ANSWER
    assert text in problem.detail


@pytest.mark.parametrize("filler", [b" ", b"[],", b'"a",'])
async def test_a_large_body_without_records_is_rejected_early(make_api: MakeApi, filler: bytes) -> None:
    body = b'{"trains": [' + filler * (6_000_000 // len(filler)) + json.dumps(RECORD).encode() + b"]}"
    problem = failure(await listed(make_api, lambda _offset, _limit: ("200 OK", body), 10))
    assert problem.cause is Cause.BAD_ANSWER
    assert "larger than 4194304 bytes" in problem.detail
