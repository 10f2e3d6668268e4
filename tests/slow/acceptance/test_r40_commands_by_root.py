"""R40: every command by root on the files of a daemon that runs as another user: before, beside and after it."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import pytest

from tests.support import daemon_in_process
from tests.support.changing_trainings import SERVICES, changes_under_way, wait_until_settled
from tests.support.fault_table import rounds
from tests.support.invariants import DaemonRun, violations
from tests.support.recording_simulator import RecordingSimulator
from tests.support.servers import Inbox, Received, listening
from watcher.simulator import serve

USER: Final = 4242
ROOT: Final = Path(__file__).parents[3]
BESIDE: Final = (
    "status",
    "backup --force state/by-root.db",
    "doctor --online",
    "silence add kind=gone --for 1h --why root",
    "test hook",
    "reload",
    "history",
    "deliveries list",
    "silence list",
    "check --online",
    "discover",
    "migrate --check",
    "deliveries retry --all-dead",
    "once",
    "restore",
    "migrate",
    "run",
)
"""Those at the end are refused beside a daemon; they must leave nothing behind."""
ASKING: Final = ("doctor --online", "check --online", "discover")
AFTER: Final = ("migrate", "restore", "once", "restore state/by-root.db", "silence add kind=back --for 1h --why root")

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("setpriv") is None, reason="needs root, to run the daemon as another user"
)


@dataclass(slots=True)
class Place:
    """The folder of the daemon's user."""

    folder: Path
    runs: list[DaemonRun] = field(default_factory=list)
    asked: list[DaemonRun] = field(default_factory=list)
    """The times in which a command asked AiTEMS, too."""

    @property
    def state(self) -> Path:
        """The folder of the store."""
        return self.folder / "state"

    async def as_root(self, command: str) -> tuple[int, str]:
        """Run a command as root; return its exit status and its output."""
        began = datetime.now(UTC)
        ended = await self._ended(await self.started(command.split(), ()))
        if command in ASKING:
            self.asked.append(DaemonRun(began, datetime.now(UTC)))
        return ended

    async def started(self, command: Sequence[str], prefix: Sequence[str]) -> asyncio.subprocess.Process:
        """Start a command."""
        return await asyncio.create_subprocess_exec(
            *(*prefix, sys.executable, "-m", "watcher", *command, "--config", str(self.folder / "config.toml")),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            cwd=self.folder,
            env={**os.environ, **daemon_in_process.ENVIRON, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"},
        )

    @asynccontextmanager
    async def daemon(self) -> AsyncIterator[None]:
        """Run the daemon as its user; end it by SIGTERM."""
        began = datetime.now(UTC)
        prefix = ("setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups")
        process = await self.started(("run",), prefix)
        ended = asyncio.create_task(process.communicate())
        try:
            yield
            process.send_signal(signal.SIGTERM)
            output = (await asyncio.wait_for(ended, 60))[0].decode()
            assert process.returncode == 0, output
        finally:
            if process.returncode is None:
                process.kill()
                print((await ended)[0].decode())
            self.runs += _between(self.asked, DaemonRun(began, datetime.now(UTC)))

    def root_owns(self) -> list[Path]:
        """Return the files in the folder of the store that belong to root."""
        return [path for path in (self.state, *self.state.rglob("*")) if path.lstat().st_uid == 0]

    async def _ended(self, process: asyncio.subprocess.Process) -> tuple[int, str]:
        output, _ = await asyncio.wait_for(process.communicate(), 120)
        return process.returncode or 0, output.decode()


def _between(asked: Sequence[DaemonRun], whole: DaemonRun) -> Iterator[DaemonRun]:
    """Yield the parts of a run in which the daemon alone asked: only there, each answer is one that it got."""
    began = whole.started_at
    for part in asked:
        yield DaemonRun(began, part.started_at)
        began = part.ended_at
    yield DaemonRun(began, whole.ended_at)


@pytest.fixture
def place() -> Iterator[Place]:
    """Yield a folder that the daemon's user may enter, as the folders of pytest are not."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        made = Place(Path(folder))
        made.state.mkdir(mode=0o700)
        os.chown(made.state, USER, USER)
        yield made


async def test_r40_commands_of_root_leave_the_daemon_working(place: Place) -> None:
    api, hook = RecordingSimulator(), Inbox()
    async with serve(api) as simulator, listening(hook):
        text = daemon_in_process.settings(simulator.base_url, list(SERVICES), {"hook": hook.url})
        (place.folder / "config.toml").write_text(text.replace("sqlite:///", "sqlite:///state/"))
        async with changes_under_way(api, 40):
            await root_makes_the_store(place)
            done = asyncio.get_running_loop().create_future()
            work = asyncio.create_task(serve_beside_root(place, api, hook, done))
            await asyncio.wait({done, work}, return_when=asyncio.FIRST_COMPLETED)
        await work
        evidence = daemon_in_process.evidence(place.state, api.shown, place.runs, {"hook": of_trainings(hook)})
        assert violations(evidence) == []
        for command in AFTER[: rounds(few=1, full=len(AFTER))]:
            await succeed(place, command)
        async with changes_under_way(api, 41), place.daemon():
            arrived = len(hook.received)
            await daemon_in_process.eventually(lambda: len(hook.received) > arrived, 120)


async def serve_beside_root(place: Place, api: RecordingSimulator, hook: Inbox, done: asyncio.Future[None]) -> None:
    """Run the daemon while root runs its commands; set ``done`` after the last one, and end once all has settled."""
    async with place.daemon():
        for command in BESIDE[: rounds(few=4, full=len(BESIDE))]:
            arrived = len(hook.received)
            status, output = await place.as_root(command)
            assert "Traceback" not in output, (command, output)
            assert status in {0, 1, 75}, (command, status, output)
            assert place.root_owns() == [], command
            await daemon_in_process.eventually(lambda arrived=arrived: len(hook.received) > arrived, 120)  # type: ignore[misc]
        done.set_result(None)
        await wait_until_settled(place.state, api)


def of_trainings(hook: Inbox) -> list[Received]:
    """Leave out the test alerts, which no training made."""
    return [item for item in hook.received if not item.events[0]["id"].startswith("evt_test")]


async def succeed(place: Place, command: str) -> None:
    """Run a command as root, with the daemon stopped."""
    status, output = await place.as_root(command)
    assert status == 0, (command, output)
    assert place.root_owns() == [], command


async def root_makes_the_store(place: Place) -> None:
    """Let root's ``once`` make the store, in the daemon's folder."""
    began = datetime.now(UTC)
    status, output = await place.as_root("once")
    assert status == 0, output
    place.runs.append(DaemonRun(began, datetime.now(UTC)))
    assert place.root_owns() == []
