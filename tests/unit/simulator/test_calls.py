from __future__ import annotations

import re
from typing import Any

import pytest

from tests.unit.simulator.fake_clock import START
from watcher.simulator.calls import Call, CallKind, SimulatedAnswer, SimulationTime, answer
from watcher.simulator.truth import Truth
from watcher.simulator.world import Life, ServiceType, SimulatedService, Step, Training, World

TYPES = ("personalRecommend", "relatedItem", "pop")
AITEMS_DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}")


def training(train_type: str, version: str, *steps: tuple[float, str], **facts: Any) -> Training:
    life = Life(tuple(Step(seconds, status) for seconds, status in steps))
    return Training(type=train_type, version=version, life=life, **facts)


WORLD = World(
    (
        SimulatedService(
            id="shop",
            name="Shop",
            description="the shop",
            trainings=(
                training("pop", "p1", (0, "completed")),
                training("pop", "p2", (3, "requesting"), (6, "learningFailed"), description="spring"),
                training("relatedItem", "r1", (1, "waiting"), hp_config={"is_enabled": True, "item_top_n": 50000}),
            ),
        ),
        SimulatedService(id="hourly", name="Hourly", type=ServiceType.INTERVAL, interval="hour1"),
    )
)


def ask(kind: CallKind, seconds: float = 10, **call: str) -> SimulatedAnswer:
    return answer(Call(kind=kind, path="/as/received", **call), Truth(WORLD), SimulationTime(seconds, START))


def page(seconds: float = 10, **call: str) -> Any:
    return ask(CallKind.LIST, seconds, service="shop", **call).document


def versions(seconds: float = 10, query: str = "") -> list[str]:
    return [train["version"] for train in page(seconds, query=query)["trains"]]


def view(seconds: float, version: str) -> SimulatedAnswer:
    return ask(CallKind.VIEW, seconds, service="shop", train_type="pop", version=version)


def test_a_view_has_exactly_the_documented_fields() -> None:
    """Source: page "View training"; a missing ``description`` is left out."""
    assert view(10, "p1").document == {
        "serviceId": "shop",
        "type": "pop",
        "hpConfig": {"is_enabled": False},
        "version": "p1",
        "status": "completed",
        "createdDate": "2026-11-23T11:00:00.000",
        "inference": True,
    }


def test_a_view_shows_the_current_status_and_description() -> None:
    seen: Any = view(6, "p2").document
    assert (seen["status"], seen["description"], seen["inference"]) == ("learningFailed", "spring", False)
    assert seen["createdDate"] == "2026-11-23T11:00:03.000"


@pytest.mark.parametrize(
    "call",
    [
        {"kind": CallKind.VIEW, "service": "shop", "train_type": "pop", "version": "p2", "seconds": 2},
        {"kind": CallKind.VIEW, "service": "shop", "train_type": "pop", "version": "p9"},
        {"kind": CallKind.VIEW, "service": "shop", "train_type": "relatedItem", "version": "p1"},
        {"kind": CallKind.VIEW, "service": "none", "train_type": "pop", "version": "p1"},
        {"kind": CallKind.LIST, "service": "none"},
        {"kind": CallKind.SERVICE, "service": "none"},
    ],
)
def test_an_unknown_service_or_training_is_a_404_of_aitems_and_not_of_the_gateway(call: dict[str, Any]) -> None:
    given = ask(**call)
    document: Any = given.document
    assert given.http_status == 404
    assert (document["status"], document["error"], document["path"]) == (404, "Not Found", "/as/received")


def test_a_list_holds_every_training_that_exists_by_then() -> None:
    assert page(0) == {"trains": [view(0, "p1").document], "offset": 0, "limit": 1000}
    assert versions(10) == ["p1", "p2", "r1"]


def test_is_recent_gives_the_latest_of_each_type() -> None:
    assert versions(2, "isRecent=true") == ["p1", "r1"]
    assert versions(10, "isRecent=true") == ["p2", "r1"]
    assert versions(10, "isRecent=false") == ["p1", "p2", "r1"]


def test_offset_and_limit_select_a_page_and_are_repeated_in_the_answer() -> None:
    assert versions(10, "offset=1&limit=1") == ["p2"]
    assert versions(10, "offset=3") == []
    assert {**page(query="offset=1&limit=1"), "trains": None} == {"trains": None, "offset": 1, "limit": 1}


@pytest.mark.parametrize("query", ["offset=-1", "limit=x", "limit=", "isRecent=yes", "isRecent", "limit=" + "9" * 5000])
def test_a_query_that_cannot_be_read_is_a_bad_request(query: str) -> None:
    given = ask(CallKind.LIST, service="shop", query=query)
    document: Any = given.document
    assert (given.http_status, document["error"]["errorCode"]) == (400, "100")


def test_unknown_query_keys_change_nothing() -> None:
    assert versions(10, "a=b&c") == ["p1", "p2", "r1"]


def test_a_batch_service_has_the_documented_fields() -> None:
    document: Any = ask(CallKind.SERVICE, service="shop").document
    assert list(document) == [
        "serviceId",
        "name",
        "description",
        "status",
        "datasets",
        "hpConfig",
        "createdDate",
        "updatedDate",
        "type",
    ]
    assert (document["type"], document["status"]) == ("batch", "learning")
    assert document["updatedDate"] == "2026-11-23T11:00:06.000"


def test_an_interval_service_has_three_more_fields() -> None:
    document: Any = ask(CallKind.SERVICE, service="hourly").document
    assert (document["type"], document["learningInterval"], document["infers"]) == ("interval", "hour1", [])
    assert document["scheduledDate"] == "2026-11-23T12:00:00.000"
    assert document["status"] == "scheduled"


def test_the_services_are_listed_with_name_and_permission_but_without_type() -> None:
    document: Any = ask(CallKind.SERVICES).document
    assert (document["offset"], document["limit"]) == (0, 1000)
    assert [item["name"] for item in document["services"]] == ["Shop", "Hourly"]
    for item in document["services"]:
        assert set(item) == {
            "serviceId",
            "name",
            "status",
            "createdDate",
            "updatedDate",
            "actionName",
            "permission",
        }
        assert AITEMS_DATE.fullmatch(item["createdDate"])


def test_the_services_come_in_pages_too() -> None:
    document: Any = ask(CallKind.SERVICES, query="offset=1&limit=5").document
    assert [item["serviceId"] for item in document["services"]] == ["hourly"]


@pytest.mark.parametrize(
    ("kind", "words", "status"),
    [
        (ServiceType.BATCH, ("completed", "learning"), "learning"),
        (ServiceType.BATCH, ("completed", "learningFailed"), "learnable"),
        (ServiceType.INTERVAL, ("waiting",), "scheduledLearning"),
        (ServiceType.INTERVAL, (), "scheduled"),
    ],
)
def test_a_service_is_learning_while_one_of_its_trainings_is_in_progress(
    kind: ServiceType, words: tuple[str, ...], status: str
) -> None:
    trainings = tuple(training("pop", f"v{number}", (0, word)) for number, word in enumerate(words))
    world = World((SimulatedService(id="s", name="s", type=kind, trainings=trainings),))
    given: Any = answer(
        Call(kind=CallKind.SERVICE, path="", service="s"), Truth(world), SimulationTime(5, START)
    ).document
    assert given["status"] == status


def test_a_status_given_to_a_service_is_shown_as_it_is() -> None:
    world = World((SimulatedService(id="s", name="s", status="datasetRequired"),))
    given: Any = answer(
        Call(kind=CallKind.SERVICE, path="", service="s"), Truth(world), SimulationTime(5, START)
    ).document
    assert given["status"] == "datasetRequired"
