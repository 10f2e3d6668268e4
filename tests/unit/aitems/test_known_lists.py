"""A list whose records are known by their bytes is read as one that is parsed as a whole."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watcher.aitems import split_list
from watcher.aitems.list_page import KnownList, ListPage
from watcher.aitems.strict_json import loads
from watcher.aitems.wire import BadAnswer, read_trainings
from watcher.core.training.model import ListedTraining, ServiceRef

SERVICE = ServiceRef("main", "6wxgu1abcde")
COMPACT, SPACED = (",", ":"), (", ", ": ")


def record(number: int, status: object = "learning", **more: Any) -> dict[str, Any]:
    return {
        "serviceId": SERVICE.service,
        "type": "pop",
        "hpConfig": {"is_enabled": False, "sizes": [1, 2]},
        "version": f"v{number}",
        "status": status,
        "createdDate": "2026-03-02T09:14:07.031",
        "inference": False,
        **more,
    }


def listed(records: Sequence[object], separators: tuple[str, str] = COMPACT, indent: int | None = None) -> bytes:
    page = {"trains": list(records), "offset": 0, "limit": 1000}
    return json.dumps(page, ensure_ascii=False, separators=separators, indent=indent).encode()


def read(body: bytes, known: KnownList[ListedTraining]) -> Sequence[ListedTraining]:
    page = read_trainings(body, SERVICE, known)
    assert isinstance(page, ListPage)
    known.keep(page.items)
    return page.items


def parsed_after(body: bytes, *earlier: bytes) -> list[bytes]:
    """Return what a list parses after earlier ones, one by one."""
    known = KnownList[ListedTraining]()
    for before in earlier:
        read(before, known)
    with mock.patch.object(split_list, "loads", side_effect=loads) as parser:
        page = read_trainings(body, SERVICE, known)
    assert page == read_trainings(body, SERVICE)
    return [call.args[0] for call in parser.call_args_list]


STYLES: list[dict[str, Any]] = [{}, {"separators": SPACED}, {"indent": 2}]


@pytest.mark.parametrize("style", STYLES, ids=str)
@pytest.mark.parametrize("changed", [(3,), (0, 9), tuple(range(10))])
def test_only_the_records_that_differ_are_parsed(style: dict[str, Any], changed: Sequence[int]) -> None:
    before = listed([record(number) for number in range(10)], **style)
    body = listed([record(number, "completed" if number in changed else "learning") for number in range(10)], **style)
    rest, *records = parsed_after(body, before)
    assert b"serviceId" not in rest
    assert len(records) == len(changed)


@pytest.mark.parametrize(
    "records",
    [
        [record(number) for number in reversed(range(5))],
        [record(number) for number in (9, 0, 1, 2, 3, 4)],
        [record(number) for number in (1, 2, 4)],
        [record(2), record(2)],
        [record(3)],
    ],
)
def test_records_are_known_at_any_place(records: Sequence[object]) -> None:
    before = listed([record(number) for number in range(5)])
    assert len(parsed_after(listed(records), before)) <= 2


def test_a_known_record_is_the_same_object_until_a_list_lacks_it() -> None:
    known = KnownList[ListedTraining]()

    lists = [listed([record(number) for number in numbers]) for numbers in ((1, 2), (2, 3), (1,))]
    first, second, third = (read(body, known) for body in lists)
    assert second[0] is first[1]
    assert third[0] is not first[0]
    assert len(known.items) == 1


def test_the_same_page_is_not_read_again() -> None:
    body = listed([record(number) for number in range(3)])
    assert parsed_after(body, body) == []
    other = listed([record(1)])
    assert len(parsed_after(body, body, other)) == 3


@pytest.mark.parametrize("status", [None, "", 7])
def test_an_unreadable_record_is_reported_with_every_list(status: object) -> None:
    body = listed([record(1), {**record(2), "status": status}, record(3)])
    parsed = parsed_after(body, listed([record(1), record(3)]))
    assert len(parsed) == 2


def test_the_deviations_of_known_records_stay() -> None:
    body = listed([record(1, foo=1), record(2)])
    parsed_after(body, body)
    known = KnownList[ListedTraining]()
    for _ in range(2):
        page = read_trainings(body, SERVICE, known)
        assert isinstance(page, ListPage)
        assert page.deviations == ("new field: foo",)


FRAGMENTS = [
    "]",
    "[",
    "}",
    "{",
    ",",
    '"',
    "\\",
    ":",
    "},{",
    '},{"serviceId":',
    "]}",
    '"trains":[',
    "NaN",
    "\ufeff",
    " ",
    "null",
]
BAD: list[dict[str, Any]] = [
    record(5, status=None),
    record(5, status="\ud83d"),
    record(5, serviceId="other"),
    record(5, hpConfig=[record(6)]),
    record(5, x=json.loads("[" * 40 + "]" * 40)),
    {},
]


def raw(records: Sequence[object], separators: tuple[str, str]) -> bytes:
    page = {"trains": list(records), "offset": 0, "limit": 1000}
    return json.dumps(page, separators=separators).encode("utf-8", "surrogatepass")


@given(
    st.lists(st.one_of(st.integers(0, 4).map(record), st.sampled_from([*BAD, None, 7, []])), max_size=5),
    st.sampled_from([COMPACT, SPACED]),
    st.lists(st.tuples(st.integers(0, 2000), st.sampled_from(FRAGMENTS)), max_size=2),
)
def test_known_records_change_the_meaning_of_no_list(
    records: list[object], separators: tuple[str, str], edits: list[tuple[int, str]]
) -> None:
    body = raw(records, separators)
    known = KnownList[ListedTraining]()
    read_trainings(body, SERVICE, known)
    read_trainings(listed([record(number) for number in range(5)], separators), SERVICE, known)
    for place, fragment in edits:
        at = place % (len(body) + 1)
        body = body[:at] + fragment.encode() + body[at:]
    assert_same(body, known)


def assert_same(body: bytes, known: KnownList[ListedTraining]) -> None:
    expected = read_trainings(body, SERVICE)
    for _ in range(2):
        found = read_trainings(body, SERVICE, known)
        assert type(found) is type(expected)
        if isinstance(found, BadAnswer):
            assert found == expected
        else:
            assert found == expected


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b'{"trains":[]}',
        b'{"trains":null}',
        b'{"x": [' + json.dumps(record(1)).encode() + b", " + json.dumps(record(2)).encode() + b"]}",
        b'{"trains": {"x": [' + json.dumps(record(1)).encode() + b", " + json.dumps(record(2)).encode() + b"]}}",
        b'{"trains":[],"x":[' + json.dumps(record(1)).encode() + b"]}",
        b'{"x":[' + json.dumps(record(1)).encode() + b'],"trains":[]}',
        b'{"x[y":1,"trains":[' + json.dumps(record(1)).encode() + b"]}",
        b'{"trains":[' + json.dumps(record(1)).encode() + b'],"trains":[]}',
        b'{"trains":[' + json.dumps(record(1)).encode() + b'],"offset":NaN}',
        b'{"trains":[' + json.dumps(record(1)).encode() + b"]} ]",
        b'\xef\xbb\xbf{"trains": [ ' + json.dumps(record(1)).encode() + b' ] , "limit" : "7"}',
        b'{"trains":[' + json.dumps(record(1)).encode() + b"]],[[" + json.dumps(record(2)).encode() + b"]}",
    ],
)
def test_an_odd_answer_is_read_as_without_known_records(body: bytes) -> None:
    known = KnownList[ListedTraining]()
    read_trainings(listed([record(1), record(2)], SPACED), SERVICE, known)
    assert_same(body, known)
