"""Services that appear, vanish and return under a pattern: one event each, and no incident that cannot end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Final

import pytest

from tests.support.daemon_in_process import history
from tests.support.virtual import (
    FakeApi,
    FakeReceiver,
    VirtualClock,
    broken_invariants,
    run,
    running_pipeline,
)
from watcher.core.event import Event, Kind
from watcher.core.incidents.model import Thresholds
from watcher.core.messages.text import plain_text
from watcher.core.messages.training import compose
from watcher.core.polling.deviation import INCOMPLETE_SERVICES
from watcher.core.polling.plan import Poll, Watch, plan_polls
from watcher.core.polling.schedule import Cadence
from watcher.core.training.model import ServiceRef
from watcher.http import HttpResult
from watcher.pipeline.polling.poller import Poller
from watcher.store.url import sqlite_url
from watcher.store.views import open_views

LATE_REASONS: Final = ("the service was gone", "AiTEMS could not be polled", "the watcher did not poll")
Scenario = Callable[[FakeApi, Poller], Awaitable[None]]
CADENCE: Final = Cadence(interval=timedelta(seconds=30), idle_interval=timedelta(seconds=60))


def watching(*services: str) -> tuple[Poll, ...]:
    return plan_polls(Watch(service=ServiceRef("main", service), cadence=CADENCE) for service in services)


def follow(folder: Path, watches: Sequence[str], *scenarios: Scenario) -> tuple[FakeReceiver, list[Event]]:
    """Run one daemon after the other, each with a scenario; return the receiver and all recorded events."""

    async def main(clock: VirtualClock) -> FakeReceiver:
        api, receiver = FakeApi(clock), FakeReceiver()
        api.services = ["a1", "a2", "b1"]
        api.trainings = {(service, "v1"): "learning" for service in api.services}
        for scenario in scenarios:
            async with running_pipeline(folder, api, receiver, watching(*watches), tick_seconds=5) as poller:
                await asyncio.sleep(100)
                await scenario(api, poller)
                await asyncio.sleep(200)
                assert poller.cache.open_incidents() == []
                assert poller.failing() == []
        assert broken_invariants(folder, api, receiver) == []
        return receiver

    receiver = run(main)
    return receiver, [announced.event for announced in history(folder)]


def add(api: FakeApi, service: str, status: str) -> None:
    assert api.services is not None
    api.services.append(service)
    api.trainings[service, "v1"] = status


def delete(api: FakeApi, *services: str) -> None:
    assert api.services is not None
    api.services = [service for service in api.services if service not in services]
    api.trainings = {key: status for key, status in api.trainings.items() if key[0] not in services}


def facts(events: Sequence[Event]) -> list[tuple[str, str | None, str | None, bool]]:
    return [(event.kind.value, event.service, event.version, event.new) for event in events]


@pytest.mark.parametrize(("pattern", "status"), [("*", "learningFailed"), ("a*", "completed"), ("?9", "requestFailed")])
def test_a_training_of_a_service_that_comes_later_is_an_event(tmp_path: Path, pattern: str, status: str) -> None:
    async def scenario(api: FakeApi, _poller: Poller) -> None:
        add(api, "a9", status)

    _, events = follow(tmp_path, [pattern], scenario)
    kind = "succeeded" if status == "completed" else "failed"
    assert facts(events) == [("appeared", "a9", None, True), (kind, "a9", "v1", True)]
    assert not any(event.late for event in events)


def test_a_service_that_comes_while_the_watcher_is_down_is_new_and_late(tmp_path: Path) -> None:
    async def main(clock: VirtualClock) -> list[Event]:
        api, receiver = FakeApi(clock), FakeReceiver()
        api.services, api.trainings = ["a1"], {("a1", "v1"): "learning"}
        async with running_pipeline(tmp_path, api, receiver, watching("*"), tick_seconds=5):
            await asyncio.sleep(200)
        add(api, "a9", "learningFailed")
        async with running_pipeline(tmp_path, api, receiver, watching("*"), tick_seconds=5):
            await asyncio.sleep(200)
        assert broken_invariants(tmp_path, api, receiver) == []
        return [announced.event for announced in history(tmp_path)]

    events = run(main)
    assert facts(events) == [("appeared", "a9", None, True), ("failed", "a9", "v1", True)]
    assert all(event.late for event in events)


@pytest.mark.parametrize("watches", [["*"], ["?2", "*1"]])
def test_the_first_list_of_services_is_a_silent_baseline(tmp_path: Path, watches: list[str]) -> None:
    async def scenario(api: FakeApi, _poller: Poller) -> None:
        assert {path for path in api.paths if path.endswith("trains")} == {
            f"/api/v1/services/{service}/trains" for service in ("a1", "a2", "b1")
        }

    assert follow(tmp_path, watches, scenario)[1] == []


def test_a_pattern_watches_only_what_it_matches(tmp_path: Path) -> None:
    async def scenario(api: FakeApi, _poller: Poller) -> None:
        add(api, "b9", "learningFailed")
        add(api, "xa9", "learningFailed")

    assert follow(tmp_path, ["a*"], scenario)[1] == []


def test_a_pattern_that_comes_by_a_reload_begins_with_a_baseline(tmp_path: Path) -> None:
    async def scenario(api: FakeApi, poller: Poller) -> None:
        api.trainings["b1", "v1"] = "learningFailed"
        await poller.apply_config(watching("a*", "b*"), poller._runner.apis, Thresholds())

    assert follow(tmp_path, ["a*"], scenario)[1] == []


@pytest.mark.parametrize("watches", [["*"], ["a2", "a*"]])
def test_a_deleted_service_is_one_event_and_ends_its_polls(tmp_path: Path, watches: list[str]) -> None:
    async def scenario(api: FakeApi, _poller: Poller) -> None:
        delete(api, "a1")
        await asyncio.sleep(300)
        api.paths.clear()
        await asyncio.sleep(300)
        assert not [path for path in api.paths if "/a1/" in path]

    receiver, events = follow(tmp_path, watches, scenario)
    assert facts(events) == [("gone", "a1", None, False)]
    assert [event.type for event in receiver.events] == ["service.gone"]


def test_a_service_deleted_during_an_outage_or_while_the_watcher_is_down_is_one_event(tmp_path: Path) -> None:
    async def outage(api: FakeApi, _poller: Poller) -> None:
        api.fault = lambda _now, path: api.answer(503, {}) if "/a1/" in path else None
        await asyncio.sleep(300)
        delete(api, "a1")
        await asyncio.sleep(200)
        api.fault = lambda _now, _path: None
        await asyncio.sleep(400)
        delete(api, "a2")

    async def after_restart(_api: FakeApi, _poller: Poller) -> None:
        await asyncio.sleep(100)

    _, events = follow(tmp_path, ["*"], outage, after_restart)
    assert [(event.kind, event.service) for event in events if event.incident is None] == [
        (Kind.GONE, "a1"),
        (Kind.GONE, "a2"),
    ]


def test_a_service_that_returns_is_back_with_its_changes(tmp_path: Path) -> None:
    async def scenario(api: FakeApi, _poller: Poller) -> None:
        delete(api, "a1")
        await asyncio.sleep(400)
        add(api, "a1", "learningFailed")
        api.trainings["a1", "v2"] = "learning"

    _, events = follow(tmp_path, ["*"], scenario)
    assert [(event.kind.value, event.version) for event in events] == [
        ("gone", None),
        ("back", None),
        ("appeared", "v2"),
        ("failed", "v1"),
    ]
    failed = events[-1]
    assert failed.late, "nobody polled it in between"
    assert set(late_marks(events)) == {"the service was gone"}


def late_marks(events: Sequence[Event]) -> list[str]:
    """Return the reasons that the messages of late changes of trainings name."""
    texts = ["\n".join(map(plain_text, compose(event).marks)) for event in events if event.version is not None]
    return [reason for text in texts for reason in LATE_REASONS if reason in text]


def test_a_service_that_returns_after_a_restart_was_gone(tmp_path: Path) -> None:
    async def gone(api: FakeApi, _poller: Poller) -> None:
        delete(api, "a1")
        await asyncio.sleep(400)

    async def back(api: FakeApi, _poller: Poller) -> None:
        add(api, "a1", "completed")

    _, events = follow(tmp_path, ["a*"], gone, back)
    assert [event.kind.value for event in events] == ["gone", "back", "succeeded"]
    assert set(late_marks(events)) == {"the service was gone"}


def test_an_outage_after_the_return_of_a_service_is_named_as_an_outage(tmp_path: Path) -> None:
    async def scenario(api: FakeApi, _poller: Poller) -> None:
        delete(api, "a1")
        await asyncio.sleep(400)
        add(api, "a1", "learning")
        await asyncio.sleep(400)
        api.fault = lambda _now, path: api.answer(503, {}) if "/a1/" in path else None
        await asyncio.sleep(300)
        api.trainings["a1", "v1"] = "learningFailed"
        api.fault = lambda _now, _path: None

    _, events = follow(tmp_path, ["*"], scenario)
    failed = [event for event in events if event.kind is Kind.FAILED]
    assert [event.late for event in failed] == [True]
    assert late_marks(failed) == ["AiTEMS could not be polled"]


@pytest.mark.parametrize("kept", [(), ("a1",)])
def test_an_incomplete_list_of_services_makes_none_gone(tmp_path: Path, kept: tuple[str, ...]) -> None:
    async def scenario(api: FakeApi, poller: Poller) -> None:
        shown = [{"serviceId": service, "name": service, "status": "enable"} for service in kept]

        def fault(_now: float, path: str) -> HttpResult | None:
            document = {"services": shown, "offset": 0, "limit": 1000}
            return api.answer(200, document) if path.endswith("/services") else None

        api.fault = fault
        await asyncio.sleep(600)
        api.fault = lambda _now, _path: None
        assert poller.cache.deviations == {INCOMPLETE_SERVICES}

    assert follow(tmp_path, ["*"], scenario)[1] == []


@pytest.mark.parametrize("seconds", [130, 400])
def test_a_deleted_service_of_a_pattern_is_never_an_unknown_one(tmp_path: Path, seconds: float) -> None:
    async def scenario(api: FakeApi, _poller: Poller) -> None:
        delete(api, "a1")
        api.fault = lambda _now, path: api.answer(503, {}) if path.endswith("/services") else None
        await asyncio.sleep(seconds)
        api.fault = lambda _now, _path: None
        await asyncio.sleep(300)

    _, events = follow(tmp_path, ["*"], scenario)
    assert "not-found" not in [event.kind.value for event in events]
    assert ("gone", "a1", None, False) in facts(events)


UNREADABLE: Final[tuple[object, ...]] = (None, {"name": "no id"}, {"serviceId": None}, [])


@pytest.mark.parametrize("record", UNREADABLE)
def test_a_record_without_an_id_keeps_no_deleted_service(tmp_path: Path, record: object) -> None:
    async def scenario(api: FakeApi, _poller: Poller) -> None:
        delete(api, "a1")
        api.fault = lambda _now, path: with_record(api, path, record)

    receiver, events = follow(tmp_path, ["*"], scenario)
    assert facts(events) == [("gone", "a1", None, False)]
    assert receiver.kinds == ["gone"]


@pytest.mark.parametrize("record", [None, {"serviceId": "a1", "name": 3}])
def test_a_service_that_an_unreadable_record_hides_is_polled_on(tmp_path: Path, record: object) -> None:
    async def scenario(api: FakeApi, poller: Poller) -> None:
        api.fault = lambda _now, path: with_record(api, path, record, without="a1")
        await asyncio.sleep(600)
        api.trainings["a1", "v1"] = "learningFailed"
        await asyncio.sleep(90)
        assert INCOMPLETE_SERVICES not in poller.cache.deviations
        api.fault = lambda _now, _path: None

    assert facts(follow(tmp_path, ["*"], scenario)[1]) == [("failed", "a1", "v1", False)]


def with_record(api: FakeApi, path: str, record: object, without: str | None = None) -> HttpResult | None:
    """Return the list of services with another record, and perhaps without one of them."""
    if not path.endswith("/services"):
        return None
    document = api.document(path)
    assert isinstance(document, dict)
    shown = [item for item in document["services"] if item["serviceId"] != without]
    return api.answer(200, {**document, "services": [*shown, record]})


def test_services_that_vanish_together_are_one_message(tmp_path: Path) -> None:
    async def scenario(api: FakeApi, _poller: Poller) -> None:
        delete(api, "a1", "a2", "b1")

    receiver, events = follow(tmp_path, ["*"], scenario)
    assert [event.kind for event in events] == [Kind.GONE] * 3
    assert len(receiver.messages) == 1


def test_an_unconfirmed_end_is_announced_before_its_service_is_gone(tmp_path: Path) -> None:
    async def scenario(api: FakeApi, _poller: Poller) -> None:
        def fault(_now: float, path: str) -> HttpResult | None:
            if "versions" not in path:
                return None
            delete(api, "a1")
            return api.not_found(path)

        api.fault = fault
        api.trainings["a1", "v1"] = "learningFailed"

    _, events = follow(tmp_path, ["*"], scenario)
    assert [(event.kind.value, event.confirmed) for event in events] == [("failed", False), ("gone", True)]


def test_a_catch_up_does_not_wait_for_a_service_that_is_gone(tmp_path: Path) -> None:
    async def main(clock: VirtualClock) -> FakeReceiver:
        api, receiver = FakeApi(clock), FakeReceiver()
        api.services = ["a1", "a2", "b1"]
        api.trainings = {(service, "v1"): "learning" for service in api.services}
        async with running_pipeline(tmp_path, api, receiver, watching("*"), tick_seconds=1):
            await asyncio.sleep(100)
            api.fault = lambda _now, _path: api.answer(503, {})
            await asyncio.sleep(300)
            delete(api, "a1")
            api.trainings |= {("a2", "v1"): "completed", ("b1", "v1"): "completed"}
            api.fault = lambda _now, _path: None
            await asyncio.sleep(400)
        assert broken_invariants(tmp_path, api, receiver) == []
        return receiver

    receiver = run(main)
    assert receiver.kinds == ["unreachable", "recovered", "succeeded", "succeeded", "gone"]
    times = {events[0].kind: at for at, events in zip(receiver.times, receiver.messages, strict=True)}
    assert times[Kind.SUCCEEDED] - times[Kind.RECOVERED] < 10


def test_the_names_that_aitems_gives_are_kept_for_reports(tmp_path: Path) -> None:
    names: list[dict[str, str | None]] = []

    async def scenario(api: FakeApi, poller: Poller) -> None:
        names.append({key: poller.cache.poll(f"service:main/{key}").name for key in ("a1", "a2")})
        api.names = {"a1": "another"}
        await asyncio.sleep(400)
        names.append({key: poller.cache.poll(f"service:main/{key}").name for key in ("a1", "a2")})

    # The service a2 has a watch of its own, too.
    follow(tmp_path, ["*", "a2"], scenario)
    assert names[0] == {"a1": "name of a1", "a2": "name of a2"}
    assert names[1] == {"a1": "another", "a2": "name of a2"}
    with open_views(sqlite_url(tmp_path / "watcher.db")) as views:
        assert views.service_name(ServiceRef("main", "a1")) == "another"


def test_a_service_that_gets_another_name_has_it_in_its_next_messages(tmp_path: Path) -> None:
    async def scenario(api: FakeApi, _poller: Poller) -> None:
        api.names["a1"] = "Search, new"
        await asyncio.sleep(200)
        api.trainings["a1", "v1"] = "completed"
        await asyncio.sleep(200)
        api.fault = lambda _now, path: api.answer(503, {}) if "/a1/" in path else None
        await asyncio.sleep(400)
        api.fault = lambda _now, _path: None

    _, events = follow(tmp_path, ["*"], scenario)
    assert {event.service_name for event in events} == {"Search, new"}
    assert {Kind.SUCCEEDED, Kind.UNREACHABLE} <= {event.kind for event in events}
