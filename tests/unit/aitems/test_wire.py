"""Reading of AiTEMS' answers: the documented sample, tolerated deviations, and bad answers."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.paths import DATA
from watcher.aitems import wire
from watcher.aitems.list_page import MAX_DEVIATION_LENGTH, MAX_DEVIATIONS, ListPage
from watcher.aitems.wire import AnswerTimes, BadAnswer, ServiceInfo, ViewedTraining
from watcher.core.training.model import ListedTraining, Observation, ServiceRef, Source, TrainingRef

SAMPLE = (DATA / "aitems" / "view-training.json").read_bytes()
TIMES = AnswerTimes(
    asked_at=datetime(2026, 11, 23, 2, 20, tzinfo=UTC), answered_at=datetime(2026, 11, 23, 2, 20, 1, tzinfo=UTC)
)
SERVICE = ServiceRef("main", "6wxgu1abcde")
REF = TrainingRef("main", "6wxgu1abcde", "pop", "maqll0abcde")

RECORD: dict[str, Any] = {
    "serviceId": "6wxgu1abcde",
    "type": "pop",
    "hpConfig": {"is_enabled": False},
    "version": "maqll0abcde",
    "status": "learning",
    "createdDate": "2026-03-02T09:14:07.031",
    "inference": False,
}


def view(body: bytes) -> ViewedTraining | BadAnswer:
    return wire.read_training(body, REF, TIMES)


def viewed(**changes: object) -> ViewedTraining:
    answer = view(json.dumps({**RECORD, **changes}).encode())
    assert isinstance(answer, ViewedTraining), answer
    return answer


def why_bad(body: bytes) -> str:
    answer = view(body)
    assert isinstance(answer, BadAnswer), answer
    return answer.reason


def listed(*records: object, **page: object) -> ListPage[ListedTraining] | BadAnswer:
    body = json.dumps({"trains": records, "offset": 0, "limit": 1000, **page}).encode()
    return wire.read_trainings(body, SERVICE)


def page_of(*records: object, **page: object) -> ListPage[ListedTraining]:
    answer = listed(*records, **page)
    assert isinstance(answer, ListPage), answer
    return answer


def why_bad_list(*records: object, **page: object) -> str:
    answer = listed(*records, **page)
    assert isinstance(answer, BadAnswer), answer
    return answer.reason


def test_the_documented_sample_is_read() -> None:
    ref = TrainingRef("main", "6wxgu******", "pop", "maqll******")
    answer = wire.read_training(SAMPLE, ref, TIMES)
    assert answer == ViewedTraining(
        Observation(
            ref=ref,
            status="learningFailed",
            asked_at=TIMES.asked_at,
            answered_at=TIMES.answered_at,
            source=Source.VIEW,
            record={
                "hpConfig": {"is_enabled": False},
                "createdDate": "2024-07-30T11:25:36.558",
                "inference": True,
            },
        ),
        deviations=(),
    )


@pytest.mark.parametrize("status", ["completed", "LEARNING", "frozen", " completed", "멈춤"])
def test_any_status_is_kept_unchanged(status: str) -> None:
    assert viewed(status=status).observation.status == status


def test_a_new_field_is_kept_and_is_a_deviation() -> None:
    answer = viewed(progress=42)
    assert answer.observation.record["progress"] == 42
    assert answer.deviations == ("new field: progress",)


def test_a_new_field_for_a_failure_reason_is_no_error() -> None:
    answer = viewed(status="learningFailed", errorCode="E1", message="no items", code="1", msg="x", error="oops")
    assert answer.observation.status == "learningFailed"
    assert answer.observation.record["errorCode"] == "E1"


def test_a_missing_field_is_a_deviation_unless_it_is_optional() -> None:
    body = {name: RECORD[name] for name in ("serviceId", "type", "version", "status")}
    answer = view(json.dumps(body).encode())
    assert isinstance(answer, ViewedTraining)
    assert answer.deviations == ("missing field: createdDate", "missing field: hpConfig", "missing field: inference")


def test_a_value_unlike_the_documents_is_kept_and_is_a_deviation() -> None:
    answer = viewed(inference="true", hpConfig=None, description=None)
    assert answer.observation.record["inference"] == "true"
    assert answer.deviations == (
        "unlike the documents: description is null",
        "unlike the documents: hpConfig is null",
        "unlike the documents: inference is a text",
    )


@pytest.mark.parametrize("name", ["serviceId", "type", "version", "status"])
@pytest.mark.parametrize("value", [None, 1, True, [], {}, "", "x" * 257, "a\x00b"])
def test_a_name_of_the_wrong_type_makes_a_bad_answer(name: str, value: object) -> None:
    assert name in why_bad(json.dumps({**RECORD, name: value}).encode())


@pytest.mark.parametrize("name", ["serviceId", "type", "version", "status"])
def test_a_missing_name_makes_a_bad_answer(name: str) -> None:
    rest = {key: value for key, value in RECORD.items() if key != name}
    assert why_bad(json.dumps(rest).encode()) == f"{name} is missing"


@pytest.mark.parametrize(("name", "other"), [("serviceId", "other"), ("type", "relatedItem"), ("version", "other")])
def test_an_answer_about_something_else_is_bad(name: str, other: str) -> None:
    assert f"{name} is '{other}', but" in why_bad(json.dumps({**RECORD, name: other}).encode())


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"", "empty"),
        (b" \n", "empty"),
        (b"null", "the body is null"),
        (b"[]", "the body is an array"),
        (b'"completed"', "the body is a text"),
        (b"42", "the body is a number"),
        (b"<html></html>", "HTML or XML"),
        (b"{", "no JSON"),
        (SAMPLE[:100], "no JSON"),
        (b'{"status": NaN}', "NaN"),
        (b'{"status": -Infinity}', "Infinity"),
        (b'{"a": 1e999}', "out of range"),
        (b'{"a": ' + b"9" * 5000 + b"}", "out of range"),
        (b'{"status": "completed", "status": "learning"}', "twice"),
        (b'{"hpConfig": {"a": 1, "a": 2}}', "twice"),
        (b'{"a":' + b"[" * 40 + b"]" * 40 + b"}", "nested"),
        (b"[" * 50_000, "nested"),
        (b"[" * 4_000_000, "more than 100000 values"),
        (b'{"trains": [' + b"[]," * 60_000 + b"[]]}", "more than 100000 values"),
        (b'{"a": "\xff"}', "UTF-8"),
        (b'{"a": "\\ud800"}', "surrogate"),
        ('{"a": "b"}'.encode("utf-16"), "UTF-8"),
        (b'{"error": {"errorCode": "900", "message": "Unexpected Error"}}', "900 Unexpected Error"),
        (b'{"status": {"code": "40100", "message": "Unauthorized"}}', "40100 Unauthorized"),
        (b'{"timestamp": "t", "status": 401, "error": "UNAUTHORIZED"}', "UNAUTHORIZED"),
        (b'{"responseError": {"returnCode": "1", "returnMessage": "No"}}', "1 No"),
        (b'{"errorCode": 9014, "message": "Tenant not created"}', "9014 Tenant not created"),
        (b'{"status": "UP"}', "serviceId is missing"),
    ],
)
def test_an_answer_without_a_training_is_bad_with_the_reason(body: bytes, text: str) -> None:
    assert text in why_bad(body)


def test_an_error_beside_a_complete_training_is_a_bad_answer() -> None:
    assert "900" in why_bad(json.dumps({**RECORD, "error": {"errorCode": "900"}}).encode())


def test_a_surrogate_pair_is_one_character() -> None:
    assert viewed(description="\U0001f600").observation.record["description"] == "\U0001f600"


def test_a_byte_order_mark_is_tolerated() -> None:
    assert isinstance(view(b"\xef\xbb\xbf" + json.dumps(RECORD).encode()), ViewedTraining)


@given(st.binary(max_size=300))
def test_any_bytes_can_be_read(body: bytes) -> None:
    view(body)
    wire.read_trainings(body, SERVICE)
    wire.read_services(body, "main")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*RECORD, "trains", "error"]), inner),
)


@given(st.dictionaries(st.sampled_from([*RECORD, "error", "foo"]), json_values))
def test_any_shape_of_json_can_be_read(changes: dict[str, object]) -> None:
    record = {**RECORD, **changes}
    for body in (record, changes, {"trains": [record]}, {"trains": changes}, {"services": [changes]}):
        data = json.dumps(body).encode()
        view(data)
        wire.read_trainings(data, SERVICE)
        wire.read_services(data, "main")


def test_a_list_is_read_with_every_train_type() -> None:
    page = page_of(RECORD, {**RECORD, "type": "relatedItem", "status": "waiting"}, {**RECORD, "type": "sequence"})
    assert [(item.ref.type, item.status) for item in page.items] == [
        ("pop", "learning"),
        ("relatedItem", "waiting"),
        ("sequence", "learning"),
    ]
    assert page.deviations == ("new train type: sequence",)
    assert (page.offset, page.limit) == (0, 1000)


def test_an_empty_list_is_a_valid_answer() -> None:
    assert page_of().items == ()


def test_optional_and_additional_list_fields_are_no_deviations() -> None:
    short = {name: RECORD[name] for name in ("serviceId", "type", "version", "status")}
    assert page_of(short, {**RECORD, "actionName": "View/getTrain", "permission": "Allow"}).deviations == ()


def test_a_null_in_place_of_a_list_is_no_list_of_no_trainings() -> None:
    assert page_of(trains=None).no_list == "trains is null, not an array"


@pytest.mark.parametrize("trains", [{}, "x", 1])
def test_a_list_without_an_array_is_bad(trains: object) -> None:
    assert why_bad_list(trains=trains).startswith("trains is ")


def test_an_error_instead_of_a_list_is_bad() -> None:
    answer = wire.read_trainings(b'{"error": {"errorCode": "500", "message": "Endpoint Error"}}', SERVICE)
    assert answer == BadAnswer("an error inside a success: 500 Endpoint Error")


@pytest.mark.parametrize("value", [None, "three", "-1", "1.0", "", -1, True, 1.5])
def test_paging_unlike_the_documents_is_a_deviation(value: object) -> None:
    page = page_of(RECORD, limit=value)
    assert page.limit is None
    assert len(page.deviations) == 1


def test_deviations_are_unique_and_limited() -> None:
    records = [{**RECORD, "version": f"v{index}", f"field{index}": 1, "x" * 500: 1} for index in range(50)]
    deviations = page_of(*records).deviations
    assert len(deviations) == len(set(deviations)) == MAX_DEVIATIONS
    assert max(map(len, deviations)) <= MAX_DEVIATION_LENGTH


def test_services_are_read_with_their_other_fields() -> None:
    record = {"serviceId": "b28a0ffffff", "name": "shop_reco", "status": "learning", "permission": "Allow"}
    body = json.dumps({"services": [record], "offset": 0, "limit": 1000}).encode()
    page = wire.read_services(body, "main")
    expected = ServiceInfo(ServiceRef("main", "b28a0ffffff"), "learning", {"name": "shop_reco", "permission": "Allow"})
    assert isinstance(page, ListPage)
    assert page.items == (expected,)


def test_a_service_is_read_and_must_be_the_requested_one() -> None:
    body = b'{"serviceId": "a", "status": "scheduled", "type": "interval"}'
    assert wire.read_service(body, ServiceRef("main", "a")) == ServiceInfo(
        ServiceRef("main", "a"), "scheduled", {"type": "interval"}
    )
    assert isinstance(wire.read_service(body, ServiceRef("main", "b")), BadAnswer)
