"""The body of a webhook, its schema and its document."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

import watcher.receivers
from tests.support.paths import DOCS
from tests.unit.receivers.sample_facts import third_failure
from tests.unit.receivers.samples import CASES, GROUPS, golden, hostile_events, of_version, sample_event
from watcher.core.event import Event, Kind
from watcher.core.routing.routes import Group
from watcher.core.training.comparison import SettingChange
from watcher.receivers.payload import ALSO_MAX, RECORD_LIMIT, TEXT_LIMIT, render_body, render_group

SCHEMA_TEXT = (Path(watcher.receivers.__file__).parent / "webhook.schema.json").read_text(encoding="utf-8")
SCHEMA = json.loads(SCHEMA_TEXT)
DEFINITIONS = SCHEMA["$defs"]
OPTIONAL = {"overdue", "update", "unusable"}
"""Fields that only some kinds have."""
VALIDATOR = Draft202012Validator(SCHEMA)


def body_of(event: Event, receiver_seq: int = 3) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(render_body(event, receiver_seq))
    return body


def data_of(event: Event) -> dict[str, Any]:
    data: dict[str, Any] = body_of(event)["data"]
    return data


def group_of(name: str) -> bytes:
    events, also = GROUPS[name]
    return render_group([(event, number) for number, event in enumerate(events, start=1)], also)


def fields_fit(value: dict[str, Any], definition: str) -> bool:
    published = DEFINITIONS[definition]
    optional = OPTIONAL - value.keys()
    names = [name for name in published["properties"] if name not in optional]
    return list(value) == names and sorted(value.keys() - OPTIONAL) == sorted(published["required"])


def test_the_schema_is_a_valid_schema() -> None:
    Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("case", sorted(CASES))
def test_each_kind_of_event_has_the_published_body(case: str) -> None:
    body = render_body(CASES[case], 3)
    assert body.decode() + "\n" == golden(f"{case}.body.json", body.decode() + "\n")
    VALIDATOR.validate(json.loads(body))


@pytest.mark.parametrize("name", sorted(GROUPS))
def test_a_group_has_the_published_body(name: str) -> None:
    body = group_of(name)
    assert body.decode() + "\n" == golden(f"{name}.body.json", body.decode() + "\n")
    VALIDATOR.validate(json.loads(body))


@pytest.mark.parametrize("case", sorted(CASES))
def test_the_body_has_exactly_the_fields_of_the_schema(case: str) -> None:
    body = body_of(CASES[case])
    assert list(body) == list(SCHEMA["properties"])
    assert fields_fit(body["data"], "event")
    assert body["data"]["incident"] is None or fields_fit(body["data"]["incident"], "incident")
    assert body["data"]["receiver"] is None or fields_fit(body["data"]["receiver"], "receiver")
    for name in ("comparison", "stuck", "expected_end"):
        assert body["data"][name] is None or fields_fit(body["data"][name], name)
    for facts in ("comparison", "stuck"):
        usual = (body["data"][facts] or {}).get("usual")
        assert usual is None or fields_fit(usual, "usual")


@pytest.mark.parametrize("name", sorted(GROUPS))
def test_a_groups_body_has_exactly_the_fields_of_the_schema(name: str) -> None:
    body = json.loads(group_of(name))
    assert list(body) == list(SCHEMA["properties"])
    assert fields_fit(body["data"], "group")
    assert all(fields_fit(event, "event") for event in body["data"]["events"])
    assert all(fields_fit(reference, "reference") for reference in body["data"]["also"])


def test_every_kind_is_in_the_schema_and_in_the_document() -> None:
    words = set(re.findall(r"[a-z-]+", DEFINITIONS["kind"]["description"]))
    document = (DOCS / "webhooks.md").read_text(encoding="utf-8")
    assert {kind.value for kind in Kind} <= words
    assert all(f"`{kind}`" in document for kind in Kind)


@pytest.mark.parametrize("case", sorted(CASES))
def test_each_event_of_a_group_equals_its_single_body(case: str) -> None:
    entries = [(sample_event(), 5), (CASES[case], 7)]
    first, second = json.loads(render_group(entries, []))["data"]["events"]
    assert first == body_of(sample_event(), 5)["data"]
    assert second == body_of(CASES[case], 7)["data"]


@pytest.mark.parametrize("case", sorted(CASES))
def test_a_group_of_one_equals_the_body_of_a_single_event(case: str) -> None:
    assert render_group([(CASES[case], 7)], [sample_event()]) == render_body(CASES[case], 7)


def test_a_group_has_the_time_of_its_latest_event_and_keeps_the_order() -> None:
    early = sample_event(seq=9, recorded_at=sample_event().recorded_at - timedelta(hours=1))
    body = json.loads(render_group([(sample_event(), 1), (early, 2)], []))
    assert body["timestamp"] == body_of(sample_event())["timestamp"]
    assert [event["id"] for event in body["data"]["events"]] == [sample_event().id, early.id]


def test_a_separately_sent_event_is_named_without_its_data() -> None:
    alone = of_version("maqll0fffff")
    (reference,) = json.loads(render_group([(sample_event(), 1), (sample_event(), 2)], [alone]))["data"]["also"]
    assert (reference["id"], reference["version"], reference["to"]) == (alone.id, "maqll0fffff", "learningFailed")
    assert not {"training", "seq", "receiver_seq"} & set(reference)


def test_many_separate_failures_do_not_make_a_huge_body() -> None:
    storm = [of_version(f"v{number}") for number in range(1_000)]
    body = json.loads(render_group([(sample_event(), 1), (sample_event(), 2)], storm))
    VALIDATOR.validate(body)
    assert [reference["version"] for reference in body["data"]["also"]] == [f"v{n}" for n in range(ALSO_MAX)]


def test_the_largest_group_of_ordinary_events_is_small() -> None:
    entries = [(of_version(f"v{number}"), 1) for number in range(Group(key="x", patience=timedelta()).largest)]
    assert len(render_group(entries, [])) < 40_000


def test_many_hostile_settings_do_not_make_a_huge_body() -> None:
    changes = tuple(SettingChange(option="가" * 5_000, old=["나" * 5_000], new="👩" * 5_000) for _ in range(500))
    body = render_body(sample_event(comparison=third_failure(changes=changes)), 1)
    VALIDATOR.validate(json.loads(body))
    assert len(body) < 100_000


@pytest.mark.parametrize(
    ("key", "value"),
    [("level", 0), ("limit_seconds", -1), ("learned", None), ("since", None), ("reported_at", "yesterday")],
)
def test_the_schema_rejects_facts_of_stuck_that_the_watcher_never_sends(key: str, value: object) -> None:
    body = body_of(CASES["stuck"])
    body["data"]["stuck"][key] = value
    assert not VALIDATOR.is_valid(body)


@pytest.mark.parametrize(
    ("key", "value"), [("failures", -1), ("usual", {}), ("changes", None), ("pace", ""), ("last_good", "v")]
)
def test_the_schema_rejects_a_comparison_that_the_watcher_never_sends(key: str, value: object) -> None:
    body = body_of(CASES["failed-in-context"])
    body["data"]["comparison"][key] = value
    assert not VALIDATOR.is_valid(body)


@pytest.mark.parametrize(
    ("key", "value"),
    [("stages_certain", True), ("after", "2026-11-23 02:19:40"), ("receiver_seq", 0), ("from", 5), ("id", "x")],
)
def test_the_schema_rejects_a_body_that_the_watcher_never_sends(key: str, value: object) -> None:
    body = body_of(sample_event())
    body["data"][key] = value
    assert not VALIDATOR.is_valid(body)


@pytest.mark.parametrize(("key", "value"), [("id", "evt_x"), ("since", None), ("covers", None), ("lasted_seconds", -1)])
def test_the_schema_rejects_an_incident_that_the_watcher_never_sends(key: str, value: object) -> None:
    body = body_of(CASES["account-unreachable"])
    body["data"]["incident"][key] = value
    assert not VALIDATOR.is_valid(body)


@pytest.mark.parametrize("kind", ["training.failed", "group"])
def test_the_schema_distinguishes_one_event_from_a_group(kind: str) -> None:
    other = json.loads(group_of("group-late")) if kind != "group" else body_of(sample_event())
    assert not VALIDATOR.is_valid(other | {"type": kind})


def test_the_schema_rejects_a_group_with_an_invalid_event() -> None:
    body = json.loads(group_of("group-late"))
    del body["data"]["events"][1]["from"]
    assert not VALIDATOR.is_valid(body)


def test_the_type_names_the_scope_and_the_kind() -> None:
    types = {case: body_of(event)["type"] for case, event in CASES.items()}
    assert types["account-unreachable"] == "account.unreachable"
    assert types["service-not-found"] == "service.not-found"
    assert types["training-not-found"] == "training.not-found"
    assert types["account-recovered"] == "account.recovered"


def test_the_body_of_an_incident_has_its_facts() -> None:
    beginning, end = data_of(CASES["account-unreachable"]), data_of(CASES["account-recovered"])
    assert (beginning["service"], beginning["version"], beginning["from"], beginning["to"]) == (None, None, None, None)
    assert beginning["incident"]["id"] == end["incident"]["id"]
    assert beginning["incident"]["cause"] == "server-error"
    assert beginning["incident"]["lasted_seconds"] is None
    assert end["incident"]["lasted_seconds"] == 12 * 3600 + 3 * 60


def test_the_body_has_the_fields_of_the_event() -> None:
    event = CASES["failed-unconfirmed-late"]
    body = body_of(event, receiver_seq=7)
    data = body["data"]
    assert (body["type"], data["id"], data["seq"], data["receiver_seq"]) == ("training.failed", event.id, 4, 7)
    assert (data["from"], data["to"]) == ("learning", "learningFailed")
    assert (data["late"], data["confirmed"], data["stages_certain"]) == (True, False, False)
    assert data["training"] == dict(event.record)


def test_the_timestamp_is_the_time_of_recording() -> None:
    assert body_of(sample_event())["timestamp"].startswith("2026-11-23T02:20:11")


@settings(deadline=None)
@given(event=hostile_events)
def test_with_any_text_from_outside_the_body_is_small_strict_json_of_the_schema(event: Event) -> None:
    body = render_body(event, 1)
    assert body.isascii()
    assert b"\n" not in body
    assert body == render_body(event, 1)
    read = json.loads(body, parse_constant=pytest.fail)
    json.dumps(read, ensure_ascii=False).encode()
    VALIDATOR.validate(read)
    assert len(json.dumps(read["data"]["training"], separators=(",", ":"))) <= RECORD_LIMIT


@settings(deadline=None)
@given(events=st.lists(hostile_events, min_size=2, max_size=4), also=st.lists(hostile_events, max_size=3))
def test_with_any_text_from_outside_a_group_is_strict_json_of_the_schema(
    events: list[Event], also: list[Event]
) -> None:
    body = render_group([(event, 1) for event in events], also)
    assert body.isascii()
    assert b"\n" not in body
    read = json.loads(body, parse_constant=pytest.fail)
    json.dumps(read, ensure_ascii=False).encode()
    VALIDATOR.validate(read)
    assert [event["id"] for event in read["data"]["events"]] == [event.id for event in events]


def test_a_long_text_is_cut_with_a_note() -> None:
    description = data_of(sample_event(record={"description": "x" * 100_000}))["training"]["description"]
    assert len(description) <= TEXT_LIMIT
    assert description.endswith("more)")


def test_a_record_that_is_too_long_keeps_its_short_documented_fields() -> None:
    record = {"createdDate": "2026-11-23T09:14:07", "inference": True} | {f"x{n}": "y" * 1_000 for n in range(100)}
    assert data_of(sample_event(record=record))["training"] == {"createdDate": "2026-11-23T09:14:07", "inference": True}


def test_deep_nesting_is_cut() -> None:
    deep: list[object] = []
    for _ in range(5_000):
        deep = [deep]
    assert "nested too deeply" in json.dumps(data_of(sample_event(record={"x": deep}))["training"])


def test_a_lone_surrogate_is_replaced_because_strict_parsers_reject_it() -> None:
    assert data_of(sample_event(version="a\ud800b"))["version"] == "a\N{REPLACEMENT CHARACTER}b"


def test_a_number_that_json_lacks_becomes_null() -> None:
    training = data_of(sample_event(record={"a": float("nan"), "b": float("-inf"), "c": 1.5}))["training"]
    assert training == {"a": None, "b": None, "c": 1.5}


def test_the_published_schema_is_the_one_of_the_package() -> None:
    published = (DOCS / "webhook.schema.json").read_text(encoding="utf-8")
    assert published == SCHEMA_TEXT


def test_the_document_links_to_the_schema() -> None:
    document = (DOCS / "webhooks.md").read_text(encoding="utf-8")
    assert "](webhook.schema.json)" in document


def examples() -> dict[str, Any]:
    document = (DOCS / "webhooks.md").read_text(encoding="utf-8")
    found = re.findall(r"<!-- example: (\S+) -->\n```json\n(.*?)```", document, re.DOTALL)
    return {name: json.loads(text) for name, text in found}


def test_the_examples_of_the_document_are_bodies_that_the_watcher_sends() -> None:
    shown = examples()
    group = shown.pop("group-two")
    assert group == json.loads(group_of("group-two"))
    assert set(shown) == {"failed", "account-unreachable", "receiver-failing"}
    assert shown == {case: body_of(CASES[case]) for case in shown}


def test_the_facts_in_the_document_are_those_of_a_body_that_the_watcher_sends() -> None:
    document = (DOCS / "webhooks.md").read_text(encoding="utf-8")
    found = re.findall(r"<!-- facts: (\S+) (\S+) -->\n```json\n(.*?)```", document, re.DOTALL)
    assert len(found) == 3
    assert all(json.loads(text) == data_of(CASES[case])[name] for case, name, text in found)
