"""One record that cannot be read leaves the others of its list readable."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest

from watcher.aitems.list_page import KnownList, ListPage
from watcher.aitems.wire import BadAnswer, ServiceInfo, read_services, read_trainings
from watcher.core.training.model import ListedTraining, ServiceRef

SERVICE = ServiceRef("main", "6wxgu1abcde")
GOOD = {
    "serviceId": SERVICE.service,
    "type": "pop",
    "version": "v1",
    "status": "learning",
    "hpConfig": {"is_enabled": False},
    "createdDate": "2026-03-02T09:14:07.031",
    "inference": False,
}
BAD = {**GOOD, "version": "v2"}

IDENTIFIED: Mapping[str, bytes] = {
    "status null": json.dumps({**BAD, "status": None}).encode(),
    "status empty": json.dumps({**BAD, "status": ""}).encode(),
    "status of blanks": json.dumps({**BAD, "status": " \t\u3000"}).encode(),
    "status a list": json.dumps({**BAD, "status": ["learning"]}).encode(),
    "status very long": json.dumps({**BAD, "status": "x" * 300}).encode(),
    "status missing": json.dumps({key: BAD[key] for key in BAD if key != "status"}).encode(),
    "serviceId missing": json.dumps({key: BAD[key] for key in BAD if key != "serviceId"}).encode(),
    "another service": json.dumps({**BAD, "serviceId": "other"}).encode(),
    "two statuses": json.dumps(BAD).encode()[:-1] + b', "status": "completed"}',
    "repeated name within": json.dumps({**BAD, "hpConfig": 0}).encode().replace(b": 0", b': {"a": 1, "a": 2}'),
    "NaN": json.dumps({**BAD, "hpConfig": {"item_top_n": float("nan")}}).encode(),
    "infinity": json.dumps({**BAD, "hpConfig": [-float("inf")]}).encode(),
    "a float out of range": json.dumps({**BAD, "hpConfig": 0}).encode().replace(b": 0", b": 1e999"),
    "an endless integer": json.dumps({**BAD, "hpConfig": 0}).encode().replace(b": 0", b": " + b"9" * 5000),
    "half of a surrogate pair": json.dumps({**BAD, "description": "\ud83d"}).encode(),
    "no UTF-8": json.dumps({**BAD, "description": "?"}).encode().replace(b"?", b"\xea\xb0"),
    "a wrong escape": json.dumps({**BAD, "description": "?"}).encode().replace(b"?", rb"it\'s"),
    "a path with wrong escapes": json.dumps({**BAD, "description": "?"}).encode().replace(b"?", rb"C:\data\u12\x"),
    "no UTF-8 in a name": json.dumps({**BAD, "?": 1}).encode().replace(b"?", b"\xff"),
    "deep": json.dumps(BAD).encode()[:-1] + b', "x": ' + b"[" * 50 + b"]" * 50 + b"}",
    "very deep": json.dumps(BAD).encode()[:-1] + b', "x": ' + b"[" * 2_000 + b"]" * 2_000 + b"}",
    "very deep objects": json.dumps(BAD).encode()[:-1] + b', "x": ' + b'{"a":' * 2_000 + b"0" + b"}" * 2_000 + b"}",
    "very deep with brackets in texts": json.dumps(BAD).encode()[:-1]
    + b', "x": '
    + b'["]}\\"[", ' * 2_000
    + b'"{"'
    + b"]" * 2_000
    + b"}",
}
"""The version of these records is known."""

UNKNOWN: Mapping[str, bytes] = {
    "null": b"null",
    "a text": b'"v2"',
    "a list": b"[]",
    "an empty object": b"{}",
    "NaN alone": b"NaN",
    "version a number": json.dumps({**BAD, "version": 2}).encode(),
    "version with dots": json.dumps({**BAD, "version": ".."}).encode(),
    "version with a NUL": json.dumps({**BAD, "version": "v\x00"}).encode(),
    "version no UTF-8": json.dumps({**BAD, "version": "?"}).encode().replace(b"?", b"\xff"),
    "very deep alone": b"[" * 40_000 + b"]" * 40_000,
    "a number with a zero before it": json.dumps({**BAD, "version": 0}).encode().replace(b": 0", b": 01"),
    "no comma": json.dumps({**BAD, "hpConfig": 0}).encode().replace(b": 0,", b": 0"),
    "a comma too many": json.dumps(BAD).encode()[:-1] + b",}",
    "a word": json.dumps({**BAD, "hpConfig": 0}).encode().replace(b": 0", b": None"),
    "names without quotes": b"{version: 1}",
    "an unknown escape and no comma": rb'{"version": "\x" "status": 1}',
    "two versions": json.dumps(BAD).encode()[:-1] + b', "version": "v3"}',
}


def listed(*records: bytes, name: str = "trains") -> bytes:
    return f'{{"{name}": ['.encode() + b", ".join(records) + b'], "offset": 0, "limit": 1000}'


def read(*records: bytes) -> ListPage[ListedTraining]:
    page = read_trainings(listed(*records), SERVICE)
    known = KnownList[ListedTraining]()
    for body in (listed(*records), listed(json.dumps(GOOD).encode()), listed(*records), listed(*records)):
        again = read_trainings(body, SERVICE, known)
    assert again == page, "the records of an earlier list change the meaning of this one"
    assert isinstance(page, ListPage), page
    return page


def is_read_around(bad: bytes) -> ListPage[ListedTraining]:
    good = json.dumps(GOOD).encode()
    page = read(good, bad, json.dumps({**GOOD, "version": "v9", "status": "completed"}).encode())
    assert [(item.ref.version, item.status) for item in page.items] == [("v1", "learning"), ("v9", "completed")]
    assert len(page.unreadable) == 1
    return page


@pytest.mark.parametrize("bad", IDENTIFIED.values(), ids=IDENTIFIED.keys())
def test_an_unreadable_record_spoils_no_other_and_keeps_its_identity(bad: bytes) -> None:
    assert is_read_around(bad).unreadable[0].identity == ("pop", "v2")


@pytest.mark.parametrize("bad", UNKNOWN.values(), ids=UNKNOWN.keys())
def test_an_unreadable_record_without_a_version_is_of_unknown_identity(bad: bytes) -> None:
    assert is_read_around(bad).unreadable[0].identity[1] is None


def test_any_number_of_records_may_be_no_json() -> None:
    bad = b'{"serviceId": "6wxgu1abcde", "version": 01}'
    good = [json.dumps({**GOOD, "version": f"v{number}"}).encode() for number in range(200)]
    page = read(*(record for one in good for record in (bad, one)), bad)
    assert (len(page.items), len(page.unreadable)) == (200, 201)


@pytest.mark.parametrize("bad", [*IDENTIFIED.values(), *UNKNOWN.values()], ids=[*IDENTIFIED, *UNKNOWN])
def test_the_sample_of_an_unreadable_record_has_names_and_types_without_values(bad: bytes) -> None:
    record = is_read_around(bad).unreadable[0]
    text = json.dumps(record.sample, ensure_ascii=False)
    assert text.encode()
    assert not any(value in text for value in ("learning", "6wxgu1abcde", "v2", "2026-03"))
    assert record.reason.startswith("unreadable record in trains: ")
    assert not any(value in record.reason for value in ("learning", "6wxgu1abcde", "v2", "other'"))


def test_a_control_character_in_a_description_is_read() -> None:
    raw = json.dumps({**BAD, "description": "?"}).encode().replace(b"?", b"\x00\t\n")
    page = read(json.dumps(GOOD).encode(), raw)
    assert len(page.items) == 2


@pytest.mark.parametrize(
    "body",
    [
        listed(json.dumps(GOOD).encode())[:-1],
        listed(json.dumps(GOOD).encode()).replace(b'"trains"', b'"trains": [], "trains"'),
        listed(json.dumps(GOOD).encode()).replace(b"1000", b"NaN"),
        listed(json.dumps(GOOD).encode())[:-1] + b', "x": "\xff"}',
        listed(json.dumps(GOOD).encode())[:-1] + b', "x": {"a": 1, "a": 2}}',
        listed(b"[" * 40_000 + b"]" * 40_000)[:-1],
        listed(b"[" * 40_000 + b"]" * 39_000),
        listed(json.dumps(GOOD).encode())[:-1] + b', "x": ' + b"[" * 2_000 + b"]" * 2_000 + b"}",
        b"[" * 2_000 + b"]" * 2_000,
        listed(b"[]," * 60_000 + b"[]"),
    ],
)
def test_a_list_whose_envelope_cannot_be_read_is_a_bad_answer(body: bytes) -> None:
    assert isinstance(read_trainings(body, SERVICE), BadAnswer)


@pytest.mark.parametrize(
    ("bad", "identity"),
    [
        (b'{"serviceId": "b", "status": null}', "b"),
        (b'{"serviceId": "b"}', "b"),
        (b'{"serviceId": "b", "status": "x", "name": "\xff"}', "b"),
        (b'{"serviceId": "b", "status": "x", "status": "y"}', "b"),
        (b'{"serviceId": 7, "status": "x"}', None),
        (b'{"serviceId": "..", "status": "x"}', None),
        (b"NaN", None),
        (b'{"status": "x"}', None),
    ],
)
def test_an_unreadable_service_spoils_no_other(bad: bytes, identity: str | None) -> None:
    good = [json.dumps({"serviceId": name, "status": "learnable"}).encode() for name in "ac"]
    page = read_services(listed(good[0], bad, good[1], name="services"), "main")
    assert isinstance(page, ListPage), page
    assert page.items == tuple(ServiceInfo(ServiceRef("main", name), "learnable", {}) for name in "ac")
    assert [record.identity for record in page.unreadable] == [(identity,)]
