"""R5: a daemon that gets SIGTERM ends in time with status 0; nothing is lost or announced twice."""

from __future__ import annotations

import asyncio
import random
import sqlite3
import time
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Final

import pytest

from tests.acceptance.test_stop import STOP_SECONDS
from tests.slow.acceptance.test_kill import daemon
from tests.support import daemon_in_process
from tests.support.accounts import account_table
from tests.support.changing_trainings import SERVICES, changes_under_way, wait_until_settled
from tests.support.fault_table import rounds
from tests.support.invariants import DaemonRun, repeats, violations
from tests.support.recording_simulator import RecordingSimulator
from tests.support.servers import Inbox, SlowInbox, listening
from watcher.simulator import Fault, serve

STARVED: Final = timedelta(seconds=60)
"""The longest time without a record, since the store is locked."""
SILENT: Final = "silent.example"
HANGING: Final = f"""
import socket, sys, time
resolve = socket.getaddrinfo
def hang(host, *args, **options):
    if host in ("{SILENT}", b"{SILENT}"):
        time.sleep(60)
    return resolve(host, *args, **options)
socket.getaddrinfo = hang
from watcher.__main__ import main
main()
"""
FAULTS: Final = {
    "slow": Fault(kind="slow", seconds=1.5),
    "drip-headers": Fault(kind="drip-headers"),
    "hang": Fault(kind="hang"),
}
COPYING: Final = """
import time
from watcher.store.sqlite import backup
original = backup._copy
def copy(*args):
    original(*args)
    time.sleep(60)
backup._copy = copy
from watcher.__main__ import main
main()
"""
OTHER_ACCOUNT: Final = account_table(f"https://{SILENT}/api/v1", 'timeout = "1s"', name="unresolved")
UNRESOLVED: Final = '\n[[watch]]\naccount = "unresolved"\nservice = "service{number}"\ninterval = "200ms"\n'


@dataclass(slots=True)
class StopScenario:
    """A folder with a configuration, an API with changing trainings, and a webhook."""

    folder: Path
    api: RecordingSimulator
    hook: Inbox
    text: str
    runs: list[DaemonRun] = field(default_factory=list)

    @asynccontextmanager
    async def running(self, program: tuple[str, ...] = ("-m", "watcher")) -> AsyncIterator[Process]:
        """Run a daemon until the block stops it, or until the end of the block."""
        (self.folder / "config.toml").write_text(self.text)
        async with daemon(self.folder, self.runs, {}, program) as process:
            yield process
            if process.returncode is None:
                await stop(process)

    async def polled(self) -> None:
        """Wait for the next poll."""
        shown = len(self.api.shown)
        await daemon_in_process.eventually(lambda: len(self.api.shown) > shown, 60)

    def broken_invariants(self, patience: timedelta | None = None) -> list[str]:
        evidence = daemon_in_process.evidence(self.folder, self.api.shown, self.runs, {"hook": self.hook.received})
        return violations(evidence if patience is None else replace(evidence, patience=patience))


@asynccontextmanager
async def stop_scenario(folder: Path, hook: Inbox | None = None) -> AsyncIterator[StopScenario]:
    api = RecordingSimulator()
    async with serve(api) as simulator, listening(hook or Inbox()) as inbox:
        text = daemon_in_process.settings(simulator.base_url, list(SERVICES), {"hook": inbox.url})
        yield StopScenario(folder, api, inbox, text)


async def stop(process: Process) -> None:
    """Send SIGTERM; require status 0 before systemd would kill the process."""
    began = time.monotonic()
    process.terminate()
    status = await process.wait()
    assert status == 0
    assert time.monotonic() - began < STOP_SECONDS


async def test_r5_stops_at_random_times_lose_nothing_and_repeat_nothing(tmp_path: Path) -> None:
    draw = random.Random(5)  # noqa: S311 - the times of the stops
    hook = SlowInbox()
    hook.seconds = lambda: draw.choice((0.0, 0.0, 0.3, 1.0))
    async with stop_scenario(tmp_path, hook) as place:
        async with changes_under_way(place.api, 5):
            for _ in range(rounds(few=5, full=60)):
                async with place.running():
                    await place.polled()
                    await asyncio.sleep(draw.uniform(0.0, 1.5))
        hook.seconds = lambda: 0.0
        async with place.running():
            await wait_until_settled(tmp_path, place.api)
    assert place.broken_invariants() == []
    assert repeats(hook.received) == 0, "a running delivery is finished and recorded"
    assert len(hook.events()) > 8


@pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=() if kind == "hang" else pytest.mark.torture) for kind in FAULTS]
)
async def test_r5_a_poll_that_runs_at_sigterm_is_finished_or_repeated_by_the_next_start(
    tmp_path: Path, kind: str
) -> None:
    async with stop_scenario(tmp_path) as place:
        for service in SERVICES:
            place.api.set_training(service, "pop", "v0", "requesting")
        async with place.running():
            await wait_until_settled(tmp_path, place.api)
            number = place.api.add_fault(replace(FAULTS[kind], service=SERVICES[0]))
            place.api.set_training(SERVICES[0], "pop", "v0", "waiting")
            place.api.set_training(SERVICES[1], "pop", "v0", "waiting")
            await daemon_in_process.eventually(
                lambda: any(item["service"] == SERVICES[1] for item in place.hook.events())
            )
            await asyncio.sleep(0.5)
        at_the_end = [
            announced.event.service
            for announced in daemon_in_process.history(tmp_path)
            if announced.routed_at is not None
        ]
        assert at_the_end.count(SERVICES[0]) == (kind == "slow"), "an answer that arrives in time is recorded"
        place.api.faults.remove(number)
        async with place.running():
            await wait_until_settled(tmp_path, place.api)
            place.api.set_training(SERVICES[0], "pop", "v0", "learning")
            await wait_until_settled(tmp_path, place.api)
        assert place.broken_invariants() == []
        assert repeats(place.hook.received) == 0
        assert [event["to"] for event in place.hook.events() if event["service"] == SERVICES[0]] == [
            "waiting",
            "learning",
        ]


async def test_r5_names_that_do_not_resolve_delay_no_stop(tmp_path: Path) -> None:
    async with stop_scenario(tmp_path) as place:
        resolvable = place.text
        place.text = resolvable.replace("[[watch]]", '[[watch]]\naccount = "main"') + OTHER_ACCOUNT
        place.text += "".join(UNRESOLVED.format(number=number) for number in range(8))
        async with changes_under_way(place.api, 51), place.running(("-c", HANGING)):
            announced = len(place.hook.events())
            await daemon_in_process.eventually(lambda: len(place.hook.events()) > announced + 5, 60)
        place.text = resolvable
        async with place.running():
            await wait_until_settled(tmp_path, place.api)
        assert place.broken_invariants() == []
        assert repeats(place.hook.received) == 0


async def test_r5_a_store_locked_by_another_process_delays_no_stop(tmp_path: Path) -> None:
    async with stop_scenario(tmp_path) as place:
        async with changes_under_way(place.api, 52), place.running() as process:
            await daemon_in_process.eventually(lambda: len(place.hook.events()) > 5, 60)
            with closing(sqlite3.connect(tmp_path / "watcher.db", isolation_level=None)) as other:
                other.execute("BEGIN IMMEDIATE")
                await asyncio.sleep(1)
                await stop(process)
        async with place.running():
            await wait_until_settled(tmp_path, place.api)
        assert place.broken_invariants(STARVED) == []
        assert "watcher.stopped" in (tmp_path / "daemon.log").read_text()


async def test_r5_a_backup_of_a_minute_delays_no_stop_and_the_next_start_makes_it(tmp_path: Path) -> None:
    backups = tmp_path / "backups"
    async with stop_scenario(tmp_path) as place:
        async with changes_under_way(place.api, 53):
            async with place.running(("-c", COPYING)):
                await daemon_in_process.eventually(lambda: len(place.hook.events()) > 5, 60)
                assert [file.suffix for file in backups.iterdir()] == [".partial"]
            async with place.running():
                await daemon_in_process.eventually(lambda: [file.suffix for file in backups.iterdir()] == [".db"])
        async with place.running():
            await wait_until_settled(tmp_path, place.api)
        assert place.broken_invariants() == []
        assert repeats(place.hook.received) == 0
