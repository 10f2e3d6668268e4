"""A long watch of five hundred trainings under random faults: growth and lateness."""

from __future__ import annotations

import asyncio
import os
import random
import sys
import time
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from starlette.responses import PlainTextResponse, Response

from tests.support import daemon_in_process
from tests.support.changing_trainings import STATUS_SEQUENCES, all_delivered
from tests.support.invariants import DaemonRun, violations
from tests.support.recording_simulator import RecordingSimulator, ShownAnswer
from tests.support.servers import Inbox, Received, listening
from watcher.simulator import CallKind, Fault, serve
from watcher.simulator.calls import Call

SERVICES: Final = tuple(f"soak{number:02}" for number in range(10))
TRAININGS_EACH: Final = 50
INTERVAL_SECONDS: Final = 1.0
RATE: Final = 0.001
"""The share of requests that each kind of fault affects."""
FAULTS: Final = (
    *("400", "401", "401-permission", "404-gateway", "500", "503", "504", "403", "404", "xml", "html", "empty-error"),
    *("redirect", "html-200", "garbage", "envelope-200", "empty", "array", "null", "missing-status", "null-status"),
    *("wrong-types", "nan", "deep", "duplicate-keys", "bad-utf8", "other-training"),
    *("hang", "hang-mid-body", "slow", "drip", "reset", "reset-mid-body", "hang-up", "truncated", "not-http"),
    *("huge-headers", "endless", "huge", "gzip-bomb"),
)
THROTTLES: Final = ("429-quota", "429-throttle", "429-rate")
KEPT_OF_A_RUN: Final = 5
PATIENCE: Final = timedelta(seconds=10)
"""A fault may spoil the confirming answer, and the next one may time out; a lost change stays lost much longer."""
MEGABYTE: Final = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """The resources and the lateness of a daemon at one time."""

    minute: float
    memory_megabytes: float
    descriptors: int
    journal_megabytes: float
    store_megabytes: float
    lateness_seconds: float
    """The longest wait of a service for its poll beyond the interval, since the previous sample."""
    delay_seconds: float
    """The longest time from an event's record to its arrival, since the previous sample."""


class CompactRecorder(RecordingSimulator):
    """Records only the first answers of each run of equal statuses, and none that a fault spoiled."""

    def __init__(self) -> None:
        super().__init__()
        self.polled_at: dict[str, float] = {}
        self.longest_wait = 0.0
        self._runs: dict[tuple[str, str, str], tuple[str, int]] = {}
        self._spoiled: list[Call] = []

    def fault_for(self, call: Call) -> Fault | None:
        """Choose the fault, and measure the service's wait for its poll."""
        if call.kind is CallKind.LIST:
            now = self.monotonic()
            self.longest_wait = max(self.longest_wait, now - self.polled_at.get(call.service, now))
            self.polled_at[call.service] = now
        fault = super().fault_for(call)
        if fault is not None:
            self._spoiled.append(call)
        return fault

    def answer(self, call: Call, ago_seconds: float = 0.0) -> Any:
        """Return the answer; do not record one that a fault spoils."""
        count = len(self.shown)
        answer = super().answer(call, ago_seconds)
        new = self.shown[count:]
        del self.shown[count:]
        if not any(call is spoiled for spoiled in self._spoiled[-100:]):
            self.shown += [shown for shown in new if self._is_new(shown)]
        return answer

    def _is_new(self, shown: ShownAnswer) -> bool:
        status, times = self._runs.get(shown.subject, ("", 0))
        times = times + 1 if status == shown.status else 1
        self._runs[shown.subject] = (shown.status, times)
        return times <= KEPT_OF_A_RUN

    def take_longest_wait(self) -> float:
        """Return the longest wait since the last call."""
        longest, self.longest_wait = self.longest_wait, 0.0
        return longest


@dataclass(slots=True)
class Soak:
    """The results of a soak."""

    samples: list[Sample]
    violated: list[str]
    events: int
    struck: int
    growth_megabytes: float
    """The mean of the last tenth of the time less that of the second one."""


def growth(values: Iterable[float]) -> float:
    """Return the mean of the last tenth less that of the second one; the first tenth is the warm-up."""
    kept = list(values)
    tenth = max(1, len(kept) // 10)
    early, late = kept[tenth : 2 * tenth] or kept[:1], kept[-tenth:]
    return sum(late) / len(late) - sum(early) / len(early)


async def keep_changing(api: RecordingSimulator, draw: random.Random) -> None:
    """Advance random trainings to their next status, about two a second."""
    positions = {(service, f"v{n}"): 0 for service in SERVICES for n in range(TRAININGS_EACH)}
    names = list(positions)
    while True:
        service, version = name = draw.choice(names)
        positions[name] += 1
        statuses = STATUS_SEQUENCES[sum(map(ord, service + version)) % len(STATUS_SEQUENCES)]
        api.set_training(service, "pop", version, statuses[positions[name] % len(statuses)])
        await asyncio.sleep(draw.uniform(0.2, 0.8))


def unreliable(draw: random.Random) -> Any:
    """Return a consumer that sometimes fails or throttles."""

    def answer(_received: Received) -> Response:
        chance = draw.random()
        if chance < 0.01:
            return PlainTextResponse("", 500)
        if chance < 0.02:
            return PlainTextResponse("", 429, {"retry-after": "1"})
        return PlainTextResponse("")

    return answer


async def run(folder: Path, minutes: float, sample_seconds: float = 5.0) -> Soak:
    """Watch for so many minutes with the real command in its own process."""
    draw = random.Random(500)  # noqa: S311 - test data
    api, samples = CompactRecorder(), list[Sample]()
    for service in SERVICES:
        for number in range(TRAININGS_EACH):
            api.set_training(service, "pop", f"v{number}", "requesting")
    async with (
        serve(api) as simulator,
        listening(Inbox(unreliable(draw))) as hook,
        listening(Inbox(unreliable(draw))) as other,
    ):
        hooks = {"hook": hook, "other": other}
        text = daemon_in_process.settings(
            simulator.base_url, list(SERVICES), {name: item.url for name, item in hooks.items()}
        )
        (folder / "config.toml").write_text(text.replace('interval = "200ms"', f'interval = "{INTERVAL_SECONDS:.0f}s"'))
        started_at = datetime.now(UTC)
        async with daemon(folder) as process:
            await daemon_in_process.eventually(lambda: len(api.polled_at) == len(SERVICES), 60)
            _plan_faults(api)
            changing = asyncio.create_task(keep_changing(api, draw))
            api.take_longest_wait()
            start = time.monotonic()
            seen = dict.fromkeys(hooks, 0)
            while (passed := time.monotonic() - start) < minutes * 60:
                await asyncio.sleep(sample_seconds)
                delay = _longest_delay(hooks, seen)
                late = max(0.0, api.take_longest_wait() - INTERVAL_SECONDS)
                samples.append(take_sample(process.pid, folder, passed / 60, late, delay))
            changing.cancel()
            struck = sum(planned.struck for planned in api.faults.planned)
            api.faults.clear()
            await asyncio.sleep(3 * INTERVAL_SECONDS)
            await daemon_in_process.eventually(lambda: all_delivered(folder), 120)
            process.terminate()
            assert await process.wait() == 0
        life = DaemonRun(started_at, datetime.now(UTC))
    received = {name: item.received for name, item in hooks.items()}
    found = daemon_in_process.evidence(folder, api.shown, [life], received)
    evidence = replace(found, patience=PATIENCE, repeats_left_out=True)
    return Soak(
        samples=samples,
        violated=violations(evidence),
        events=len(evidence.announced),
        struck=struck,
        growth_megabytes=growth(sample.memory_megabytes for sample in samples),
    )


def _plan_faults(api: RecordingSimulator) -> None:
    for kind in FAULTS:
        api.add_fault(Fault(kind=kind, rate=RATE))
    for kind in THROTTLES:
        api.add_fault(Fault(kind=kind, rate=RATE, retry_after="0"))


def _longest_delay(hooks: Mapping[str, Inbox], seen: dict[str, int]) -> float:
    """Return the longest time from an event's record to its first arrival, among arrivals since the last call."""
    longest = 0.0
    for name, hook in hooks.items():
        for item in hook.received[seen[name] :]:
            recorded = datetime.fromisoformat(item.json["timestamp"])
            longest = max(longest, (item.at - recorded).total_seconds())
        seen[name] = len(hook.received)
    return longest


@asynccontextmanager
async def daemon(folder: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run the command while the block runs."""
    with (folder / "daemon.log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "watcher", "run", "--config", str(folder / "config.toml")),
            stdout=log,
            stderr=log,
            env={**os.environ, **daemon_in_process.ENVIRON},
        )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


def take_sample(pid: int, folder: Path, minute: float, late: float, delay: float) -> Sample:
    """Measure a process and its store."""
    journal = folder / "watcher.db-wal"
    return Sample(
        minute=minute,
        memory_megabytes=memory_megabytes(pid),
        descriptors=len(list(Path(f"/proc/{pid}/fd").iterdir())),
        journal_megabytes=journal.stat().st_size / MEGABYTE if journal.exists() else 0.0,
        store_megabytes=(folder / "watcher.db").stat().st_size / MEGABYTE,
        lateness_seconds=late,
        delay_seconds=delay,
    )


def memory_megabytes(pid: int) -> float:
    """Return the present memory of a process."""
    pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / MEGABYTE
