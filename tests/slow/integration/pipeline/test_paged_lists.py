"""R35: lists in pages of any size, with shifts, refused and empty ends, and of many thousand records."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from tests.support import daemon_in_process
from tests.support.changing_trainings import SERVICES, changes_under_way, wait_until_settled
from tests.support.fault_table import TALLY, rounds
from tests.support.invariants import DaemonRun, violations
from tests.support.recording_simulator import RecordingSimulator, offset_of
from tests.support.servers import Inbox, listening
from watcher.core.event import Kind
from watcher.simulator import CallKind, Simulator, serve
from watcher.simulator.calls import Call, SimulatedAnswer

SIZES: Final = (1, 2, 7, 1000)
ENDS: Final[tuple[int | None, ...]] = (None, 400, 404, 416)
LISTS: Final = 2
LONGEST_LIST: Final = timedelta(seconds=30)
"""A list counts when its last page is read, which takes long on a busy machine."""
WRONG: Final = frozenset({Kind.GONE, Kind.BACK, Kind.NOT_FOUND, Kind.UNREACHABLE})


class PagingSimulator(RecordingSimulator):
    """Answers lists in pages of its own size."""

    def __init__(self) -> None:
        super().__init__()
        self.size = 1000
        self.end: int | None = None
        """The HTTP status for an offset behind the end; ``None`` for an empty page."""
        self.shift = 0
        """The number of items that the second page repeats from the first."""
        self.lists = 0
        """Lists of the first service that have begun."""

    def answer(self, call: Call, ago_seconds: float = 0.0) -> SimulatedAnswer:
        """Return a page, and record its statuses."""
        if call.kind is not CallKind.LIST:
            return super().answer(call, ago_seconds)
        offset = offset_of(call)
        shift = self.shift if offset else 0
        query = f"offset={max(offset - shift, 0)}&limit={self.size}"
        page = Simulator.answer(self, replace(call, query=query), ago_seconds)
        assert isinstance(page.document, dict)
        items: list[Any] = page.document["trains"]
        if offset and not items and self.end is not None:
            return SimulatedAnswer(self.end, {"timestamp": "", "status": self.end, "error": "No such offset"})
        self.lists += not offset and call.service == SERVICES[0]
        self._record(call, page.document)
        return replace(page, document={**page.document, "offset": offset})


async def test_r35_pages_of_any_size_hide_no_change(tmp_path: Path) -> None:
    api = PagingSimulator()
    for service in SERVICES:
        api.set_training(service, "pop", "v0", "requesting")
    async with serve(api) as simulator, listening(Inbox()) as hook:
        text = daemon_in_process.settings(simulator.base_url, list(SERVICES), {"hook": hook.url})
        text = text.replace('timeout = "2s"', 'timeout = "60s"').replace(
            "requests_per_second = 100.0", "requests_per_second = 2000.0"
        )
        started_at = datetime.now(UTC)
        async with daemon_in_process.running(tmp_path, text):
            async with changes_under_way(api, 35):
                for _ in range(rounds(few=1, full=15)):
                    await turn_pages(api)
            api.size, api.end, api.shift = 1000, None, 0
            await wait_until_settled(tmp_path, api)
        life = DaemonRun(started_at, datetime.now(UTC))
    assert not {event["kind"] for event in hook.events()} & WRONG
    evidence = daemon_in_process.evidence(tmp_path, api.shown, [life], {"hook": hook.received})
    assert violations(replace(evidence, patience=LONGEST_LIST)) == []


async def turn_pages(api: PagingSimulator) -> None:
    """Let some lists have each size of page, each end, and shifts."""
    for size in SIZES:
        for number, end in enumerate(ENDS):
            api.size, api.end, api.shift = size, end, number % 2 if size > 1 else 0
            begun = api.lists
            await daemon_in_process.eventually(lambda begun=begun: api.lists >= begun + LISTS, 60)  # type: ignore[misc]


async def test_r35_a_list_of_many_thousand_records_is_read_to_its_end(tmp_path: Path) -> None:
    count = 100_000 if TALLY.full else 2_500
    api = PagingSimulator()
    api.set_training(SERVICES[0], "pop", "changing", "learning")
    for number in range(count - 1):
        api.set_training(SERVICES[0], "pop", f"v{number}", "completed")
    async with serve(api) as simulator, listening(Inbox()) as hook:
        text = daemon_in_process.settings(simulator.base_url, [SERVICES[0]], {"hook": hook.url})
        started_at = datetime.now(UTC)
        async with daemon_in_process.running(tmp_path, text.replace('timeout = "2s"', 'timeout = "60s"')) as daemon:
            assert daemon.poller.watched() == (count, 1)
            api.set_training(SERVICES[0], "pop", "changing", "learningFailed")
            await daemon_in_process.eventually(lambda: len(hook.received) >= 1, 120)
        life = DaemonRun(started_at, datetime.now(UTC))
    assert [(event["version"], event["kind"]) for event in hook.events()] == [("changing", Kind.FAILED)]
    evidence = daemon_in_process.evidence(tmp_path, [], [life], {"hook": hook.received})
    assert violations(replace(evidence, answers_comparable=False)) == []
