"""A list of services that lacks services proves nothing while their own lists fail: an outage is one incident."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
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
from watcher.http import HttpResult
from watcher.pipeline.polling import services

SERVICES: Final = [f"s{number}" for number in range(4)]
OUTAGES: Final[Mapping[str, tuple[int, bytes, str]]] = {
    "500": (500, b"{}", "unreachable"),
    "401/210": (401, b'{"error":{"errorCode":"210","message":"Permission Denied"}}', "denied"),
    "HTML as a 404": (404, b"<html><title>404 Not Found</title></html>", "unreachable"),
    "code 300": (404, b'{"error":{"errorCode":"300","message":"Not Found Exception"}}', "unreachable"),
}
"""Status and body of the services' own lists, and the kind of the incident."""


def announced(
    folder: Path,
    outage: str,
    listed: Sequence[str],
    *,
    seconds: float = 500,
    restart: bool = False,
) -> list[tuple[str, str | None]]:
    """Run an outage of the lists of trainings while the list of services shows only a part; return the events."""
    status, body, _ = OUTAGES[outage]

    async def main(clock: VirtualClock) -> FakeReceiver:
        api, receiver = FakeApi(clock), FakeReceiver()
        api.services, api.trainings = list(SERVICES), {(service, "v1"): "learning" for service in SERVICES}

        def fault(_now: float, path: str) -> HttpResult | None:
            if not path.endswith("/services"):
                struck = not any(f"/{service}/" in path for service in listed)
                return replace(api.answer(status, None), body=body) if struck else None
            shown = [{"serviceId": service, "name": service, "status": "enable"} for service in listed]
            return api.answer(200, {"services": shown, "offset": 0, "limit": 1000})

        polls = service_polls(["*"])
        async with running_pipeline(folder, api, receiver, polls, tick_seconds=5):
            await asyncio.sleep(100)
            api.fault = fault
            await asyncio.sleep(seconds)
            if not restart:
                api.fault = lambda _now, _path: None
                await asyncio.sleep(600)
        if restart:
            async with running_pipeline(folder, api, receiver, polls, tick_seconds=5):
                await asyncio.sleep(seconds)
                api.fault = lambda _now, _path: None
                await asyncio.sleep(600)
        assert broken_invariants(folder, api, receiver) == []
        return receiver

    return [(event.kind.value, event.service) for event in run(main).events]


@pytest.mark.parametrize("outage", OUTAGES)
def test_an_empty_list_of_services_beside_failing_lists_is_one_incident_of_the_account(
    tmp_path: Path, outage: str
) -> None:
    assert announced(tmp_path, outage, []) == [(OUTAGES[outage][2], None), ("recovered", None)]


def test_such_an_incident_survives_a_restart(tmp_path: Path) -> None:
    assert announced(tmp_path, "500", [], restart=True) == [("unreachable", None), ("recovered", None)]


@pytest.mark.parametrize("outage", ["500", "401/210", "code 300"])
def test_a_service_that_its_list_lacks_and_that_fails_is_no_deleted_service(tmp_path: Path, outage: str) -> None:
    kinds = announced(tmp_path, outage, SERVICES[1:])
    assert kinds == [(OUTAGES[outage][2], "s0"), ("recovered", "s0")]


def test_a_full_list_of_services_beside_failing_lists_is_one_incident_of_the_account(tmp_path: Path) -> None:
    async def main(clock: VirtualClock) -> FakeReceiver:
        api, receiver = FakeApi(clock), FakeReceiver()
        api.trainings = {(service, "v1"): "learning" for service in SERVICES}
        async with running_pipeline(tmp_path, api, receiver, service_polls(["*"]), tick_seconds=5):
            await asyncio.sleep(100)
            api.fault = lambda _now, path: None if path.endswith("/services") else api.answer(500, {})
            await asyncio.sleep(500)
            api.fault = lambda _now, _path: None
            await asyncio.sleep(600)
        return receiver

    events = run(main).events
    assert [(event.kind.value, event.service) for event in events] == [("unreachable", None), ("recovered", None)]


@pytest.mark.parametrize(("minutes", "expected"), [(8, ["denied"]), (14, ["denied", "gone"])])
def test_a_service_that_fails_and_that_no_list_shows_for_long_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, minutes: int, expected: Sequence[str]
) -> None:
    monkeypatch.setattr(services, "MISSING_AT_MOST", timedelta(minutes=10))

    async def main(clock: VirtualClock) -> FakeReceiver:
        api, receiver = FakeApi(clock), FakeReceiver()
        api.services, api.trainings = list(SERVICES), {(service, "v1"): "learning" for service in SERVICES}
        async with running_pipeline(tmp_path, api, receiver, service_polls(["*"]), tick_seconds=5):
            await asyncio.sleep(100)
            api.services = SERVICES[1:]
            api.fault = lambda _now, path: api.answer(403, {}) if "/s0/" in path else None
            await asyncio.sleep(60 * minutes)
        return receiver

    events = run(main).events
    assert [(event.kind.value, event.service) for event in events] == [(kind, "s0") for kind in expected]
