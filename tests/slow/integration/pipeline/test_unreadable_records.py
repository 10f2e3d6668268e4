"""R32: unreadable records in lists of trainings and of services spoil no other training."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from tests.support import daemon_in_process
from tests.support.changing_trainings import SERVICES, changes_under_way, wait_until_settled
from tests.support.fault_table import rounds
from tests.support.invariants import DaemonRun, violations
from tests.support.recording_simulator import RecordingSimulator
from tests.support.servers import Inbox, listening
from watcher.core.event import Kind
from watcher.simulator import CallKind, Simulator, serve
from watcher.simulator.calls import Call, SimulatedAnswer
from watcher.store.url import sqlite_url
from watcher.store.views import open_views

Record = dict[str, Any]
SERVICE: Final = SERVICES[0]
VICTIM: Final = "victim"
LISTS: Final = 3
"""Lists of the victim's service with each fault."""
WRONG: Final = frozenset({Kind.GONE, Kind.BACK, Kind.NOT_FOUND, Kind.UNREACHABLE})


class Repeated(Record):
    """A record that is written with one name twice."""

    def items(self) -> Any:
        """Return the fields, and a second status."""
        return [*super().items(), ("status", "completed")]


def without(record: Record, name: str) -> Record:
    return {key: value for key, value in record.items() if key != name}


def another_service(record: Record) -> Record:
    return {**record, "serviceId": "somebodyelse"}


FAULTS: Final[Mapping[str, Callable[[Record], object]]] = {
    "status null": lambda record: {**record, "status": None},
    "status empty": lambda record: {**record, "status": ""},
    "status a number": lambda record: {**record, "status": 7},
    "no status": lambda record: without(record, "status"),
    "two statuses": Repeated,
    "NaN": lambda record: {**record, "hpConfig": {"item_top_n": float("nan")}},
    "infinity": lambda record: {**record, "createdDate": float("-inf")},
    "another service": another_service,
    "no service": lambda record: without(record, "serviceId"),
    "deep": lambda record: {**record, "nested": nested(40)},
    "version a number": lambda record: {**record, "version": 1},
    "version of dots": lambda record: {**record, "version": ".."},
    "no version": lambda record: without(record, "version"),
    "type null": lambda record: {**record, "type": None},
    "null": lambda _record: None,
    "a text": lambda _record: "victim",
    "an array": lambda _record: [],
    "an empty object": lambda _record: {},
}


def nested(depth: int) -> list[Any]:
    inner: list[Any] = []
    for _ in range(depth):
        inner = [inner]
    return inner


class SpoilingSimulator(RecordingSimulator):
    """Spoils the record of one training and of one service, and records what the others show."""

    def __init__(self) -> None:
        super().__init__()
        self.spoil: Callable[[Record], object] | None = None
        self.spoiled = 0

    def answer(self, call: Call, ago_seconds: float = 0.0) -> SimulatedAnswer:
        """Return the answer with the spoiled record, and record the statuses of the others."""
        spoil = self.spoil
        if spoil is None or call.kind not in {CallKind.LIST, CallKind.SERVICES}:
            return super().answer(call, ago_seconds)
        answer = Simulator.answer(self, call, ago_seconds)
        assert isinstance(answer.document, dict)
        name = "trains" if call.kind is CallKind.LIST else "services"
        records = answer.document[name]
        if call.kind is CallKind.LIST:
            self._record(call, {"trains": [record for record in records if not is_victim(record)]})
            self.spoiled += call.service == SERVICE
        if call.kind is CallKind.SERVICES and spoil is another_service:
            # In this list, it would be one more service.
            return answer
        spoiled = [spoil(record) if is_victim(record) else record for record in records]
        return replace(answer, document={**answer.document, name: spoiled})


def is_victim(record: Record) -> bool:
    return record.get("version", record["serviceId"]) in {VICTIM, SERVICES[1]}


async def test_r32_an_unreadable_record_delays_and_removes_no_training(tmp_path: Path) -> None:
    api = SpoilingSimulator()
    api.set_training(SERVICE, "pop", VICTIM, "learning")
    for service in SERVICES:
        api.set_training(service, "pop", "v0", "requesting")
    async with serve(api) as simulator, listening(Inbox()) as hook:
        text = daemon_in_process.settings(simulator.base_url, ["*"], {"hook": hook.url})
        text = text.replace('timeout = "2s"', 'timeout = "60s"')
        started_at = datetime.now(UTC)
        async with daemon_in_process.running(tmp_path, text + '\n[incident]\nafter_failures = 2\nafter = "0s"\n'):
            async with changes_under_way(api, 32):
                await daemon_in_process.eventually(lambda: len(api.shown) > 20, 120)
                for _ in range(rounds(few=1, full=15)):
                    await strike_all(api, FAULTS.values())
                await asyncio.sleep(0.5)
            api.set_training(SERVICE, "pop", VICTIM, "completed")
            await daemon_in_process.eventually(lambda: VICTIM in {event["version"] for event in hook.events()}, 60)
            await wait_until_settled(tmp_path, api)
        life = DaemonRun(started_at, datetime.now(UTC))
    kinds = {event["kind"] for event in hook.events()}
    assert not kinds & WRONG
    of_victim = [event["kind"] for event in hook.events() if event["version"] == VICTIM]
    assert of_victim == [Kind.SUCCEEDED]
    evidence = daemon_in_process.evidence(tmp_path, api.shown, [life], {"hook": hook.received})
    # A service whose record is hidden has its list called for, only to find whether the service exists.
    assert violations(replace(evidence, answers_for_record=3)) == []
    found = [reason for reason in deviations(tmp_path) if "unreadable record in trains" in reason]
    assert len(found) == len(set(found))
    assert 10 < len(found) <= len(FAULTS)
    assert any("unreadable record in services" in reason for reason in deviations(tmp_path))


async def strike_all(api: SpoilingSimulator, faults: Iterable[Callable[[Record], object]]) -> None:
    """Let each fault strike some lists; its training changes meanwhile, which nobody can see."""
    for fault in faults:
        api.spoiled, api.spoil = 0, fault
        await daemon_in_process.eventually(lambda: api.spoiled >= LISTS, 120)
    api.spoil = None


def deviations(folder: Path) -> list[str]:
    with open_views(sqlite_url(folder / "watcher.db")) as views:
        return [deviation.description for deviation in views.deviations()]
