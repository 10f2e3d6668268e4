"""A JSON object that is kept as bytes behaves as the mapping that it stands for."""

from __future__ import annotations

import pytest

from watcher.core.json_object import JsonObject, json_object, plain

FIELDS: list[dict[str, object]] = [{}, {"a": 1, "b": [None, {"c": "ü"}]}, {"description": "x\u2028", "inference": True}]


@pytest.mark.parametrize("fields", FIELDS, ids=str)
def test_it_equals_the_fields(fields: dict[str, object]) -> None:
    kept = json_object(fields)
    assert [dict(kept), plain(kept), plain(fields)] == [fields] * 3
    assert (list(kept), len(kept), kept.get("a"), "zz" in kept) == (list(fields), len(fields), fields.get("a"), False)
    assert fields == kept
    assert repr(kept) == repr(fields)


def test_the_hidden_names_do_not_belong_to_it() -> None:
    kept = JsonObject(b'{"status": "x", "a": 1}', frozenset({"status"}))
    assert kept == {"a": 1} == json_object({"a": 1})
    assert kept != JsonObject(b'{"status": "x", "a": 1}')
    assert "status" not in kept


def test_the_order_and_the_spaces_of_the_text_do_not_count() -> None:
    assert JsonObject(b'{"a":1,"b":2}') == JsonObject(b'{"b": 2, "a": 1}')
    assert JsonObject(b'{"a":1}') != JsonObject(b'{"a":2}')
    assert JsonObject(b'{"a":1}') != 7


@pytest.mark.parametrize("text", [b'{"a": {"name": 1}}', b'{"n\\u0061me": 1}', b'{"x": "\\""}'], ids=str)
def test_a_name_that_may_occur_is_never_denied(text: bytes) -> None:
    assert JsonObject(text).may_name("name")


def test_a_name_that_the_text_lacks_is_denied_without_reading_it() -> None:
    assert not JsonObject(b'no JSON: {"other": 1}').may_name("name")
