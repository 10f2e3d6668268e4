"""R39: odd standard streams, SIGHUP at any time, no home, a removed folder: the daemon works and obeys SIGTERM."""

from __future__ import annotations

import asyncio
import fcntl
import os
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import pytest

from tests.support import daemon_in_process
from tests.support.changing_trainings import SERVICES, changes_under_way, wait_until_settled
from tests.support.fault_table import rounds
from tests.support.invariants import DaemonRun, Evidence, violations
from tests.support.recording_simulator import RecordingSimulator
from tests.support.servers import Inbox, listening
from watcher.simulator import serve

PLAIN: Final = 'exec "$@"'
PIPE_BYTES: Final = 4096
ODD_STARTS: Final = {
    "every stream closed": 'exec "$@" <&- >&- 2>&-',
    "standard output closed": 'exec "$@" >&-',
    "standard error closed": 'exec "$@" 2>&-',
    "output on a full disk": 'exec "$@" >/dev/full 2>&1',
    "no variables but the secrets": 'exec env -i NCP_ACCESS_KEY="$NCP_ACCESS_KEY" NCP_SECRET_KEY="$NCP_SECRET_KEY" '
    'WEBHOOK_SECRET="$WEBHOOK_SECRET" PYTHONPATH="$PYTHONPATH" "$@"',
    "a removed working folder": 'mkdir gone && cd gone && rmdir ../gone && exec "$@"',
    "a reader that goes away": 'exec "$@" > >(head -n 1 >/dev/null) 2>&1',
}
FEW: Final = ("every stream closed", "a removed working folder")
Fault = Callable[["Watched"], Coroutine[None, None, None]]


@dataclass(slots=True)
class Watched:
    """A daemon as a process, the simulator that it polls, and its receiver."""

    folder: Path
    api: RecordingSimulator
    hook: Inbox
    runs: list[DaemonRun] = field(default_factory=list)
    process: asyncio.subprocess.Process | None = None

    @property
    def state(self) -> Path:
        """The folder of the store."""
        return self.folder / "state"

    def kill(self, number: signal.Signals) -> None:
        """Send a signal to the daemon."""
        assert self.process is not None
        self.process.send_signal(number)

    async def changes_arrive(self) -> None:
        """Wait until further events have arrived: it polls, routes and sends."""
        announced = len(self.hook.received)
        await daemon_in_process.eventually(lambda: len(self.hook.received) > announced + 2, 120)

    async def stopped(self) -> int:
        """Send SIGTERM; return the exit status."""
        self.kill(signal.SIGTERM)
        assert self.process is not None
        return await asyncio.wait_for(self.process.wait(), 30)

    def cause_of(self, kind: str) -> str:
        """Return the cause in the first arrived event of a kind."""
        return str(next(event["incident"]["cause"] for event in self.hook.events() if event["kind"] == kind))

    def events(self, kind: str) -> int:
        """Return the number of arrived events of a kind."""
        return sum(event["kind"] == kind for event in self.hook.events())


@asynccontextmanager
async def started(watched: Watched, shell: str, output: int) -> AsyncIterator[None]:
    """Run the daemon by a line of the shell; kill it at the end of the block if it still runs."""
    started_at = datetime.now(UTC)
    command = (sys.executable, "-m", "watcher", "run", "--config", str(watched.folder / "config.toml"))
    root = str(Path(__file__).parents[3])
    watched.process = process = await asyncio.create_subprocess_exec(
        *("bash", "-c", shell, "bash", *command),
        stdout=output,
        stderr=asyncio.subprocess.DEVNULL,
        cwd=watched.folder,
        env={**os.environ, **daemon_in_process.ENVIRON, "PYTHONPATH": root},
    )
    try:
        yield
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        watched.runs.append(DaemonRun(started_at, datetime.now(UTC)))


async def nothing(_watched: Watched) -> None:
    """Do nothing: the start itself is odd."""


async def check(
    folder: Path, shell: str, *, early: Fault = nothing, fault: Fault = nothing, output: int = subprocess.DEVNULL
) -> Watched:
    """Run the daemon amid changes, with a fault from its start on and one later; judge all that it did."""
    api, hook = RecordingSimulator(), Inbox()
    watched = Watched(folder, api, hook)
    watched.state.mkdir()
    async with serve(api) as simulator, listening(hook):
        text = daemon_in_process.settings(simulator.base_url, list(SERVICES), {"hook": hook.url})
        (folder / "config.toml").write_text(text.replace("sqlite:///", "sqlite:///state/"))
        async with started(watched, shell, output), asyncio.TaskGroup() as group:
            group.create_task(early(watched))
            async with changes_under_way(api, 39):
                await watched.changes_arrive()
                await fault(watched)
                await watched.changes_arrive()
            await wait_until_settled(watched.state, api)
            assert await watched.stopped() == 0
        evidence = daemon_in_process.evidence(watched.state, api.shown, watched.runs, {"hook": hook.received})
    assert violations(of_trainings(evidence)) == []
    return watched


def of_trainings(evidence: Evidence) -> Evidence:
    """Leave out the events about the store: the first of them is sent from memory."""
    announced = [item for item in evidence.announced if item.event.subject.startswith("training:")]
    ids = {item.event.id for item in announced}
    received = {
        name: [item for item in items if not item.json["type"].startswith("watcher.")]
        for name, items in evidence.received.items()
    }
    ledger = None if evidence.ledger is None else [entry for entry in evidence.ledger if entry.event_id in ids]
    return replace(evidence, announced=announced, received=received, ledger=ledger)


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name in FEW else pytest.mark.torture) for name in ODD_STARTS]
)
async def test_r39_an_odd_start_changes_nothing(tmp_path: Path, name: str) -> None:
    await check(tmp_path, ODD_STARTS[name])


async def test_r39_a_reader_that_stands_still_changes_nothing(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    os.write(writer, b"x" * (PIPE_BYTES - 1) + b"\n")
    try:
        await check(tmp_path, 'exec "$@" 2>&1', output=writer)
    finally:
        os.close(writer)
        os.close(reader)


async def test_r39_sighup_at_any_time_ends_nothing(tmp_path: Path) -> None:
    draw = random.Random(39)  # noqa: S311 - the times of the signals

    async def storm(watched: Watched) -> None:
        await daemon_in_process.eventually(lambda: masks_hangups(watched), 60)
        for _ in range(10):
            watched.kill(signal.SIGHUP)
            await asyncio.sleep(draw.uniform(0.0, 0.1))

    for number in range(rounds(few=1, full=20)):
        (tmp_path / str(number)).mkdir()
        await check(tmp_path / str(number), PLAIN, early=storm, fault=storm)


def masks_hangups(watched: Watched) -> bool:
    """Say whether the process lets SIGHUP wait or handles it; before that, it does not run our program yet."""
    assert watched.process is not None
    status = Path(f"/proc/{watched.process.pid}/status").read_text()
    masks = dict(line.split(":\t", 1) for line in status.splitlines() if line.startswith("Sig"))
    return any(int(masks[name], 16) & 1 << (signal.SIGHUP - 1) for name in ("SigBlk", "SigCgt") if name in masks)


async def test_r39_a_store_that_is_moved_away_and_back_loses_nothing(tmp_path: Path) -> None:
    async def move_away_and_back(watched: Watched) -> None:
        away = watched.folder / "elsewhere"
        watched.state.rename(away)
        await daemon_in_process.eventually(lambda: watched.events("store-failing") > 0, 60)
        await watched.changes_arrive()
        away.rename(watched.state)
        await daemon_in_process.eventually(lambda: watched.events("store-recovered") > 0, 60)

    watched = await check(tmp_path, PLAIN, fault=move_away_and_back)
    assert watched.events("store-failing") == 1
    assert watched.cause_of("store-failing") == "store-removed"


async def test_r39_a_removed_store_is_reported_once_and_the_daemon_obeys_sigterm(tmp_path: Path) -> None:
    api, hook = RecordingSimulator(), Inbox()
    watched = Watched(tmp_path, api, hook)
    watched.state.mkdir()
    async with serve(api) as simulator, listening(hook):
        text = daemon_in_process.settings(simulator.base_url, list(SERVICES), {"hook": hook.url})
        (tmp_path / "config.toml").write_text(text.replace("sqlite:///", "sqlite:///state/"))
        async with started(watched, 'exec "$@" >log.txt', subprocess.DEVNULL), changes_under_way(api, 39):
            await watched.changes_arrive()
            shutil.rmtree(watched.state)
            await daemon_in_process.eventually(lambda: watched.events("store-failing") > 0, 60)
            await watched.changes_arrive()
            assert await watched.stopped() == 0
    assert watched.events("store-failing") == 1
    log = (tmp_path / "log.txt").read_text()
    assert "Traceback" not in log
    assert log.count('"store.write_failed"') == 1


@pytest.mark.torture
async def test_r39_a_removed_control_socket_is_made_again(tmp_path: Path) -> None:
    async def remove(watched: Watched) -> None:
        socket = watched.state / "watcher.db.sock"
        await daemon_in_process.eventually(socket.exists, 60)
        socket.unlink()
        await daemon_in_process.eventually(socket.exists, 60)

    await check(tmp_path, PLAIN, fault=remove)
