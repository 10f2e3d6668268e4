from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from jsonschema import Draft202012Validator

import watcher.receivers
from tests.unit.receivers.samples import CASES, ROOT, golden, hostile_events, sample_event
from watcher.core.event import Event
from watcher.receivers.payload import RECORD_LIMIT, TEXT_LIMIT, render_body

SCHEMA_TEXT = (Path(watcher.receivers.__file__).parent / "webhook.schema.json").read_text(encoding="utf-8")
SCHEMA = json.loads(SCHEMA_TEXT)
VALIDATOR = Draft202012Validator(SCHEMA)


def body_of(event: Event, receiver_seq: int = 3) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(render_body(event, receiver_seq))
    return body


def data_of(event: Event) -> dict[str, Any]:
    data: dict[str, Any] = body_of(event)["data"]
    return data


def test_the_schema_is_a_valid_schema() -> None:
    Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("case", sorted(CASES))
def test_each_kind_of_event_has_the_body_that_was_published(case: str) -> None:
    body = render_body(CASES[case], 3)
    assert body.decode() + "\n" == golden(f"{case}.body.json", body.decode() + "\n")
    VALIDATOR.validate(json.loads(body))


def test_the_body_has_exactly_the_fields_of_the_schema() -> None:
    body = body_of(sample_event())
    assert list(body) == list(SCHEMA["properties"])
    assert list(body["data"]) == list(SCHEMA["properties"]["data"]["properties"])
    assert sorted(body["data"]) == sorted(SCHEMA["properties"]["data"]["required"])


@pytest.mark.parametrize(
    ("key", "value"),
    [("stages_certain", True), ("after", "2026-11-23 02:19:40"), ("receiver_seq", 0), ("from", 5), ("id", "x")],
)
def test_the_schema_refuses_what_we_never_send(key: str, value: object) -> None:
    body = body_of(sample_event())
    body["data"][key] = value
    assert not VALIDATOR.is_valid(body)


def test_the_body_carries_what_the_event_says() -> None:
    event = CASES["failed-unconfirmed-late"]
    body = body_of(event, receiver_seq=7)
    data = body["data"]
    assert (body["type"], data["id"], data["seq"], data["receiver_seq"]) == ("training.failed", event.id, 4, 7)
    assert (data["from"], data["to"]) == ("learning", "learningFailed")
    assert (data["late"], data["confirmed"], data["stages_certain"]) == (True, False, False)
    assert data["training"] == dict(event.record)


def test_the_time_of_the_body_is_when_the_event_was_recorded() -> None:
    assert body_of(sample_event())["timestamp"].startswith("2026-11-23T02:20:11")


@settings(deadline=None, max_examples=100)
@given(event=hostile_events)
def test_whatever_comes_from_outside_the_body_is_small_strict_json_of_the_schema(event: Event) -> None:
    body = render_body(event, 1)
    assert body.isascii()
    assert b"\n" not in body
    assert body == render_body(event, 1)
    read = json.loads(body, parse_constant=pytest.fail)
    json.dumps(read, ensure_ascii=False).encode()
    VALIDATOR.validate(read)
    assert len(json.dumps(read["data"]["training"], separators=(",", ":"))) <= RECORD_LIMIT


def test_a_text_that_is_too_long_is_cut_and_says_so() -> None:
    description = data_of(sample_event(record={"description": "x" * 100_000}))["training"]["description"]
    assert len(description) <= TEXT_LIMIT
    assert description.endswith("more)")


def test_of_a_record_that_is_too_long_the_documented_short_fields_stay() -> None:
    record = {"createdDate": "2026-11-23T09:14:07", "inference": True} | {f"x{n}": "y" * 1_000 for n in range(100)}
    assert data_of(sample_event(record=record))["training"] == {"createdDate": "2026-11-23T09:14:07", "inference": True}


def test_bottomless_nesting_is_cut() -> None:
    deep: list[object] = []
    for _ in range(5_000):
        deep = [deep]
    assert "nested too deeply" in json.dumps(data_of(sample_event(record={"x": deep}))["training"])


def test_a_lone_surrogate_is_replaced_since_strict_parsers_refuse_it() -> None:
    assert data_of(sample_event(version="a\ud800b"))["version"] == "a\N{REPLACEMENT CHARACTER}b"


def test_what_json_cannot_say_becomes_null() -> None:
    training = data_of(sample_event(record={"a": float("nan"), "b": float("-inf"), "c": 1.5}))["training"]
    assert training == {"a": None, "b": None, "c": 1.5}


def test_the_document_holds_the_schema_verbatim() -> None:
    document = (ROOT / "docs" / "webhooks.md").read_text(encoding="utf-8")
    assert f"```json\n{SCHEMA_TEXT}```" in document


def test_the_documents_example_is_a_body_that_we_send() -> None:
    document = (ROOT / "docs" / "webhooks.md").read_text(encoding="utf-8")
    example = document.partition("<!-- example -->\n```json\n")[2].partition("```")[0]
    assert json.loads(example) == body_of(CASES["failed"])
