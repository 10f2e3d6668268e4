"""A 404 says that something does not exist only where AiTEMS itself says so, and answers other calls."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest

from tests.support.virtual import (
    FakeApi,
    FakeReceiver,
    VirtualClock,
    broken_invariants,
    run,
    running_pipeline,
    service_polls,
)
from watcher.core.polling.plan import Poll
from watcher.core.training.model import ServiceRef, TrainingRef
from watcher.http import Answered, HttpResult

V1: Final = TrainingRef("main", "s1", "pop", "v1")
SPRING: Final = b'{"timestamp":"t","status":404,"error":"Not Found","path":"/x"}'
MISSING: Final = {
    "code 300 as text": (404, b'{"error":{"errorCode":"300","message":"Not Found Exception"}}'),
    "code 300 as a number": (404, b'{"error":{"errorCode":300,"message":"URL not found"}}'),
    "HTML": (404, b"<html><head><title>404 Not Found</title></head></html>"),
    "no body": (404, b""),
    "410 of plain text": (410, b"default backend"),
}
"""Answers that come from a system in front of AiTEMS; tests/unit/aitems has more."""
GATEWAYS: Final = {
    "Kong": b'{"message":"no Route matched with those values"}',
    "nginx": b'{"code":404}',
    "an error": b'{"error":"not found"}',
    "Spring without a path": b'{"timestamp":"t","status":404,"error":"Not Found"}',
}
"""Bodies of a 404 that do not tell whether AiTEMS has written them."""


def answering(api: FakeApi, status: int, body: bytes) -> Answered:
    return replace(api.answer(status, None), body=body)


def alone(ref: TrainingRef) -> Poll:
    """Return the view call for a training with a watch of its own."""
    (listed,) = service_polls([ref.service])
    return Poll(service=ServiceRef(ref.account, ref.service), training=ref, cadence=listed.cadence)


def joined() -> Poll:
    """Return the list call for two trainings with watches of their own."""
    (listed,) = service_polls(["s1"])
    refs = (V1, replace(V1, version="v2"))
    return replace(listed, whole_service=False, single=dict.fromkeys(refs, listed.attributes))


def kinds_after(
    folder: Path, polls: list[Poll], fault: Callable[[FakeApi, str], HttpResult | None], seconds: float = 400
) -> list[str]:
    """Return the announced kinds while the fault strikes, and after it."""

    async def main(clock: VirtualClock) -> FakeReceiver:
        api, receiver = FakeApi(clock), FakeReceiver()
        api.trainings = {(service, version): "learning" for service in ("s1", "s2") for version in ("v1", "v2")}
        async with running_pipeline(folder, api, receiver, polls, tick_seconds=5):
            await asyncio.sleep(120)
            api.fault = lambda _now, path: fault(api, path)
            await asyncio.sleep(seconds)
            api.fault = lambda _now, _path: None
            await asyncio.sleep(700)
        assert broken_invariants(folder, api, receiver) == []
        return receiver

    return run(main).kinds


@pytest.mark.parametrize("name", MISSING)
def test_a_404_of_a_system_before_aitems_makes_nothing_gone(tmp_path: Path, name: str) -> None:
    polls = [alone(V1), *service_polls(["s2"])]
    kinds = kinds_after(tmp_path, polls, lambda api, path: answering(api, *MISSING[name]) if "/v1" in path else None)
    assert kinds == ["unreachable", "recovered"]


@pytest.mark.parametrize(
    ("polls", "body"),
    [
        (["s1", "s2"], SPRING),
        (["s1", "s2"], b"{}"),
        (["s1", "s2"], b'{"message":"no Route matched with those values"}'),
        (["*"], b"[]"),
        ([], SPRING),
    ],
    ids=["exact", "an empty object", "an API gateway", "pattern", "joined"],
)
def test_a_service_that_the_list_of_services_contains_is_unreachable_and_not_missing(
    tmp_path: Path, polls: list[str], body: bytes
) -> None:
    kinds = kinds_after(
        tmp_path,
        service_polls(polls) or [joined(), *service_polls(["s2"])],
        lambda api, path: answering(api, 404, body) if "/s1/" in path else None,
    )
    assert kinds == ["unreachable", "recovered"]


@pytest.mark.parametrize("name", ["code 300 as text", "no body"])
def test_a_service_behind_such_a_404_is_unreachable_and_not_missing(tmp_path: Path, name: str) -> None:
    polls = service_polls(["s1", "s2"])
    kinds = kinds_after(tmp_path, polls, lambda api, path: answering(api, *MISSING[name]) if "/s1/" in path else None)
    assert kinds == ["unreachable", "recovered"]


@pytest.mark.parametrize(
    ("polls", "status"),
    [([alone(V1)], 404), ([joined()], 410), (service_polls(["s1", "s2"]), 404)],
    ids=["view", "joined", "lists"],
)
def test_aitems_own_404_to_everything_makes_nothing_gone(tmp_path: Path, polls: list[Poll], status: int) -> None:
    kinds = kinds_after(tmp_path, polls, lambda api, _path: answering(api, status, SPRING))
    assert kinds == ["unreachable", "recovered"]


@pytest.mark.parametrize("others", [503, 404])
def test_a_404_counts_only_where_another_call_is_answered(tmp_path: Path, others: int) -> None:
    def fault(api: FakeApi, path: str) -> HttpResult | None:
        return answering(api, 404, SPRING) if path.endswith("/v1") else answering(api, others, b"{}")

    assert "gone" not in kinds_after(tmp_path, [alone(V1), alone(replace(V1, version="v2"))], fault)


@pytest.mark.parametrize("name", GATEWAYS)
@pytest.mark.parametrize("seen_first", [0, 100], ids=["at once", "later"])
def test_a_change_that_the_list_shows_is_announced_while_the_view_of_its_training_is_refused(
    tmp_path: Path, name: str, seen_first: float
) -> None:
    def fault(api: FakeApi, path: str) -> HttpResult | None:
        api.trainings["s1", "v1"] = "completed" if api.clock.monotonic() >= began + seen_first else "learning"
        return answering(api, 404, GATEWAYS[name]) if "/versions/" in path else None

    began = 120.0
    assert kinds_after(tmp_path, [alone(V1)], fault) == ["succeeded"]


def without_v1(api: FakeApi, path: str, body: bytes = SPRING) -> HttpResult | None:
    """Answer as if the first training of the first service was deleted."""
    if path.endswith("/s1/trains"):
        document = api.document(path)
        assert isinstance(document, dict)
        return api.answer(200, {**document, "trains": [one for one in document["trains"] if one["version"] != "v1"]})
    return answering(api, 404, body) if path.endswith("/s1/trains/pop/versions/v1") else None


@pytest.mark.parametrize("body", [SPRING, b"{}", GATEWAYS["Kong"]])
def test_a_404_makes_a_training_gone_that_the_list_of_its_service_lacks(tmp_path: Path, body: bytes) -> None:
    kinds = kinds_after(tmp_path, [alone(V1)], lambda api, path: without_v1(api, path, body), seconds=100)
    assert kinds == ["gone", "back"]


@pytest.mark.parametrize(
    ("name", "part", "polls"),
    [
        ("Kong", "/s1/trains/pop/versions/", [alone(V1)]),
        ("nginx", "/s1/", [alone(V1)]),
        ("an error", "/v1", [joined()]),
        ("Spring without a path", "/s1/", [alone(V1)]),
    ],
    ids=["its views", "all of the service", "a confirmation", "Spring"],
)
def test_a_gateways_json_404_for_a_path_makes_no_training_gone(
    tmp_path: Path, name: str, part: str, polls: list[Poll]
) -> None:
    def fault(api: FakeApi, path: str) -> HttpResult | None:
        if polls == [joined()]:
            api.trainings["s1", "v1"] = "completed"
        return answering(api, 404, GATEWAYS[name]) if part in path else None

    assert not {"gone", "back"} & {*kinds_after(tmp_path, [*polls, *service_polls(["s2"])], fault)}


@pytest.mark.parametrize(
    "refusal",
    [(401, b'{"error":{"errorCode":"210"}}'), (400, b"{}"), (200, b"{}")],
    ids=["no permission", "a bad request", "unreadable"],
)
def test_a_deleted_training_is_gone_although_the_list_of_its_service_cannot_be_read(
    tmp_path: Path, refusal: tuple[int, bytes]
) -> None:
    def fault(api: FakeApi, path: str) -> HttpResult | None:
        return answering(api, *refusal) if path.endswith("/s1/trains") else without_v1(api, path)

    assert kinds_after(tmp_path, [alone(V1)], fault) == ["gone", "back"]


@pytest.mark.parametrize("refused", [(404, SPRING), (503, b"{}")])
def test_another_view_of_the_service_corroborates_a_404_where_its_list_is_not_answered(
    tmp_path: Path, refused: tuple[int, bytes]
) -> None:
    def fault(api: FakeApi, path: str) -> HttpResult | None:
        return answering(api, *refused) if path.endswith("/s1/trains") else without_v1(api, path)

    kinds = kinds_after(tmp_path, [alone(V1), alone(replace(V1, version="v2"))], fault)
    assert kinds == ["gone", "back"]


def test_a_deleted_training_is_gone_although_the_key_may_not_list_the_services(tmp_path: Path) -> None:
    def fault(api: FakeApi, path: str) -> HttpResult | None:
        if path.endswith("/services"):
            return api.answer(401, {"error": {"errorCode": "210", "message": "Permission Denied"}})
        return without_v1(api, path)

    assert kinds_after(tmp_path, [alone(V1), *service_polls(["s2"], 20, 20)], fault) == ["gone", "back"]


def test_a_404_for_the_list_of_services_is_no_missing_service(tmp_path: Path) -> None:
    (every,) = service_polls(["*"])
    kinds = kinds_after(
        tmp_path, [every], lambda api, path: answering(api, 404, SPRING) if path.endswith("/services") else None
    )
    assert "not-found" not in kinds


def test_a_joined_list_behind_a_404_to_everything_is_called_again_at_once(tmp_path: Path) -> None:
    async def main(clock: VirtualClock) -> FakeApi:
        api, receiver = FakeApi(clock), FakeReceiver()
        api.trainings = {("s1", version): "learning" for version in ("v1", "v2")}
        async with running_pipeline(tmp_path, api, receiver, [joined()]):
            api.fault = lambda _now, _path: answering(api, 404, SPRING)
            await asyncio.sleep(60)
            api.fault = lambda _now, _path: None
            api.paths.clear()
            await asyncio.sleep(300)
        return api

    api = run(main)
    assert {path for path in api.paths if "versions" in path} == set()
