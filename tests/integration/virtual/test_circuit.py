"""While a whole account fails, one probe at a time asks for it, and one cause is one incident."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Final

import pytest

from tests.support.event_facts import incident_of
from tests.support.virtual import (
    FakeApi,
    FakeReceiver,
    VirtualClock,
    broken_invariants,
    run,
    running_pipeline,
    service_polls,
)
from tests.support.virtual_daemon import deadline_result
from watcher.http import FailureReason, HttpResult, NotSent

OutageAnswer = Callable[[FakeApi], HttpResult | Awaitable[HttpResult]]
SERVICES: Final = [f"s{number}" for number in range(6)]


async def no_answer(api: FakeApi) -> HttpResult:
    began = api.clock.utc_now()
    await asyncio.sleep(10)
    return deadline_result(api.clock, asked_at=began)


def no_connection(api: FakeApi) -> HttpResult:
    now = api.clock.utc_now()
    return NotSent(reason=FailureReason.CONNECT, detail="refused", asked_at=now, ended_at=now)


OUTAGES: Final[Mapping[str, OutageAnswer]] = {
    "503": lambda api: api.answer(503, {}),
    "401": lambda api: api.answer(401, {"error": {"errorCode": "200"}}),
    "429": lambda api: api.answer(429, {"error": {"errorCode": "420"}}, headers={"retry-after": "1"}),
    "404 to everything": lambda api: api.not_found("/x"),
    "no answer": no_answer,
    "no connection": no_connection,
}


@pytest.mark.parametrize("outage", OUTAGES)
def test_a_failing_account_is_asked_by_one_probe_ever_more_slowly_unless_throttled(tmp_path: Path, outage: str) -> None:
    async def main(clock: VirtualClock) -> tuple[FakeApi, FakeReceiver]:
        api, receiver = FakeApi(clock), FakeReceiver()
        api.trainings = {(service, "v1"): "learning" for service in SERVICES}
        async with running_pipeline(tmp_path, api, receiver, service_polls(SERVICES), tick_seconds=5):
            await asyncio.sleep(60)
            api.fault = lambda _now, _path: OUTAGES[outage](api)
            await asyncio.sleep(300)
            api.request_times.clear()
            await asyncio.sleep(1800)
            asked = list(api.request_times)
            api.trainings["s3", "v1"] = "completed"
            api.fault = lambda _now, _path: None
            await asyncio.sleep(400)
        api.request_times = asked
        assert broken_invariants(tmp_path, api, receiver) == []
        return api, receiver

    api, receiver = run(main)
    kinds = {"401": "denied", "429": "throttled"}
    assert receiver.kinds == [kinds.get(outage, "unreachable"), "recovered", "succeeded"]
    assert receiver.events[-1].late
    assert [incident_of(event).paused_until is not None for event in receiver.events[:2]] == [outage == "429", False]
    # A 404 asks for the list of services, too. A 429 says by itself when to ask again, so its probes do not slow down.
    assert len(api.request_times) <= (1800 / 30 if outage == "429" else 2 * (1800 / 150))


def test_a_failing_account_says_when_it_is_polled_next(tmp_path: Path) -> None:
    async def main(clock: VirtualClock) -> None:
        api, receiver = FakeApi(clock), FakeReceiver()
        async with running_pipeline(tmp_path, api, receiver, service_polls(SERVICES), tick_seconds=5) as poller:
            await asyncio.sleep(60)
            assert poller.next_probes() == {}
            api.fault = lambda _now, _path: no_connection(api)
            await asyncio.sleep(600)
            (seconds,) = poller.next_probes().values()
            asked = len(api.request_times)
            # Ticks are five seconds apart.
            await asyncio.sleep(max(seconds - 1, 0))
            assert len(api.request_times) == asked
            await asyncio.sleep(8)
            assert len(api.request_times) > asked
            api.fault = lambda _now, _path: None
            await asyncio.sleep(400)
            assert poller.next_probes() == {}

    run(main)


def test_idle_services_that_fail_with_a_busy_one_are_one_incident(tmp_path: Path) -> None:
    async def main(clock: VirtualClock) -> FakeReceiver:
        api, receiver = FakeApi(clock), FakeReceiver()
        api.trainings = {(service, "v1"): "completed" for service in SERVICES} | {("s0", "v1"): "learning"}
        async with running_pipeline(tmp_path, api, receiver, service_polls(SERVICES), tick_seconds=5):
            await asyncio.sleep(70)
            api.fault = lambda _now, _path: api.answer(503, {})
            await asyncio.sleep(900)
            api.fault = lambda _now, _path: None
            await asyncio.sleep(700)
        assert broken_invariants(tmp_path, api, receiver) == []
        return receiver

    receiver = run(main)
    assert [(event.kind.value, event.service) for event in receiver.events] == [
        ("unreachable", None),
        ("recovered", None),
    ]


def test_two_services_that_fail_while_others_answer_are_no_incident_of_the_account(tmp_path: Path) -> None:
    async def main(clock: VirtualClock) -> FakeReceiver:
        api, receiver = FakeApi(clock), FakeReceiver()
        api.trainings = {(service, "v1"): "completed" for service in SERVICES}
        async with running_pipeline(tmp_path, api, receiver, service_polls(SERVICES), tick_seconds=5):
            await asyncio.sleep(70)
            api.fault = lambda _now, path: api.answer(503, {}) if "/s1/" in path or "/s2/" in path else None
            await asyncio.sleep(1200)
        return receiver

    receiver = run(main)
    assert sorted((event.kind.value, event.service) for event in receiver.events) == [
        ("unreachable", "s1"),
        ("unreachable", "s2"),
    ]


def test_a_service_that_fails_on_its_own_does_not_hide_that_the_account_answers_again(tmp_path: Path) -> None:
    async def main(clock: VirtualClock) -> FakeReceiver:
        api, receiver = FakeApi(clock), FakeReceiver()
        api.trainings = {(service, "v1"): "learning" for service in SERVICES}
        async with running_pipeline(tmp_path, api, receiver, service_polls(SERVICES), tick_seconds=5):
            await asyncio.sleep(60)
            api.fault = lambda _now, _path: api.answer(503, {})
            await asyncio.sleep(600)
            api.fault = lambda _now, path: api.answer(503, {}) if "/s0/" in path else None
            await asyncio.sleep(900)
        return receiver

    receiver = run(main)
    assert [(event.kind.value, event.service) for event in receiver.events] == [
        ("unreachable", None),
        ("recovered", None),
        ("unreachable", "s0"),
    ]


def test_an_unconfirmed_end_is_announced_while_its_account_fails(tmp_path: Path) -> None:
    async def main(clock: VirtualClock) -> FakeReceiver:
        api, receiver = FakeApi(clock), FakeReceiver()
        api.trainings = {("s0", "v1"): "learning", ("s1", "v1"): "learning"}
        polls = [*service_polls(["s0"], 300, 300), *service_polls(["s1"])]
        async with running_pipeline(tmp_path, api, receiver, polls, tick_seconds=5):
            await asyncio.sleep(60)
            api.trainings["s0", "v1"] = "learningFailed"
            while not any(answer.status == "learningFailed" for answer in api.shown):
                api.fault = lambda _now, path: api.answer(503, {}) if "versions" in path else None
                await asyncio.sleep(1)
            api.fault = lambda _now, _path: api.answer(503, {})
            await asyncio.sleep(1800)
        return receiver

    receiver = run(main)
    assert sorted((event.kind.value, event.confirmed) for event in receiver.events) == [
        ("failed", False),
        ("unreachable", True),
    ]


def test_another_cause_of_an_account_is_announced_and_its_recovery_names_both(tmp_path: Path) -> None:
    async def main(clock: VirtualClock) -> FakeReceiver:
        api, receiver = FakeApi(clock), FakeReceiver()
        api.trainings = {(service, "v1"): "learning" for service in SERVICES}
        async with running_pipeline(tmp_path, api, receiver, service_polls(SERVICES), tick_seconds=5):
            await asyncio.sleep(60)
            api.fault = lambda _now, _path: OUTAGES["401"](api)
            await asyncio.sleep(600)
            api.fault = lambda _now, _path: OUTAGES["503"](api)
            await asyncio.sleep(1500)
            api.fault = lambda _now, _path: None
            await asyncio.sleep(600)
        return receiver

    events = run(main).events
    assert [event.kind.value for event in events] == ["denied", "unreachable", "recovered"]
    recovered = events[-1].incident
    assert recovered is not None
    assert recovered.previous is not None
    assert (recovered.cause, recovered.previous.cause) == ("server-error", "key")
