"""From an update at AiTEMS to the message at a webhook, over real HTTP and a real store."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support import daemon_in_process
from tests.support.servers import Inbox, listening
from watcher.simulator import CallKind, Fault, ServiceType, SimulatedService, Simulator, World, serve

SERVICE = "6wxgu1abcde"
KEY = (SERVICE, "pop", "v1")


@dataclass(slots=True)
class Updates:
    """An interval service with one completed version, and the webhook."""

    folder: Path
    api: Simulator
    base_url: str
    hook: Inbox

    def settings(self, **changes: str) -> str:
        text = daemon_in_process.settings(self.base_url, [SERVICE], {"hook": self.hook.url})
        keys = "".join(f"{name} = {value}\n" for name, value in changes.items())
        return text.replace('idle_interval = "200ms"\n', f'idle_interval = "200ms"\n{keys}')

    def show(self, update: str, status: str) -> None:
        self.api.set_update(*KEY, update, status)

    def asked(self) -> int:
        """Return the number of lists of updates that were asked for."""
        return self.api.requests.count(CallKind.UPDATES)

    async def asked_again(self, times: int = 2) -> None:
        count = self.asked() + times
        await daemon_in_process.eventually(lambda: self.asked() >= count)

    async def announced(self, count: int) -> list[dict[str, Any]]:
        await daemon_in_process.eventually(lambda: len(self.hook.events()) >= count)
        return self.hook.events()


@pytest.fixture
async def updates(tmp_path: Path) -> AsyncIterator[Updates]:
    world = World((SimulatedService(id=SERVICE, name="shop", type=ServiceType.INTERVAL, interval="hour1"),))
    api = Simulator(world)
    api.set_training(*KEY, "completed")
    api.set_update(*KEY, "u0", "learningFailed")
    async with serve(api) as simulator, listening(Inbox()) as hook:
        yield Updates(tmp_path, api, simulator.base_url, hook)


async def test_updates_that_end_arrive_once_also_across_a_restart(updates: Updates) -> None:
    async with daemon_in_process.running(updates.folder, updates.settings()):
        await updates.asked_again()
        updates.show("u1", "learning")
        await updates.asked_again()
        updates.show("u1", "learningFailed")
        await updates.announced(1)
        await updates.asked_again()
    updates.show("u2", "completed")
    async with daemon_in_process.running(updates.folder, updates.settings()):
        await updates.announced(2)
        await updates.asked_again()
    events = updates.hook.events()
    assert [(event["kind"], event["update"]["version"], event["seq"]) for event in events] == [
        ("update-failed", "u1", 1),
        ("update-succeeded", "u2", 2),
    ]
    assert [event["late"] for event in events] == [False, True]
    assert events[1]["update"]["finished_date"].startswith("20")
    assert events[1]["update"]["counts"] == {"inputUsersCnt": 1000}


async def test_failing_calls_are_one_incident_and_trainings_are_polled_as_before(updates: Updates) -> None:
    text = updates.settings() + '[incident]\nafter_failures = 2\nafter = "100ms"\n'
    async with daemon_in_process.running(updates.folder, text):
        fault = updates.api.add_fault(Fault(kind="401-permission", call=CallKind.UPDATES))
        (opened,) = await updates.announced(1)
        updates.api.set_training(SERVICE, "relatedItem", "r1", "learning")
        await updates.announced(2)
        updates.api.faults.remove(fault)
        *_, closed = await updates.announced(3)
    assert (opened["kind"], opened["service"], opened["incident"]["covers"]) == ("denied", None, [])
    assert closed["kind"] == "recovered"


async def test_a_watch_without_updates_asks_for_none(updates: Updates) -> None:
    async with daemon_in_process.running(updates.folder, updates.settings(updates="false")):
        updates.api.set_training(*KEY, "learning")
        await updates.announced(1)
        updates.api.set_training(*KEY, "completed")
        await updates.announced(2)
    assert updates.asked() == 0
