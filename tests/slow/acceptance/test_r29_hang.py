"""R29: the watchdog finds a hanging loop in time, the log has its stack, and the next start continues.

This test plays systemd; ``make test-systemd`` runs a real one.
"""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager, closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import pytest

from tests.slow.acceptance.test_kill import daemon
from tests.support import daemon_in_process
from tests.support.changing_trainings import SERVICES, changes_under_way, wait_until_settled
from tests.support.fault_table import rounds
from tests.support.invariants import DaemonRun, violations
from tests.support.recording_simulator import RecordingSimulator
from tests.support.servers import Inbox, listening
from watcher.simulator import serve

WATCHDOG_SECONDS: Final = 3.0
HANGING: Final = """
import signal, time
def hang_here(*_): time.sleep(1000)
signal.signal(signal.SIGUSR1, hang_here)
from watcher.__main__ import main
main()
"""
"""The command, with a signal that makes its loop hang."""


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[socket.socket]:
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as bound:
        bound.bind(str(tmp_path / "notify"))
        bound.setblocking(False)  # noqa: FBT003 - the library's own
        yield bound


def under_systemd(folder: Path, runs: list[DaemonRun]) -> AbstractAsyncContextManager[asyncio.subprocess.Process]:
    """Run the daemon as systemd does, during the block."""
    environ = {"NOTIFY_SOCKET": str(folder / "notify"), "WATCHDOG_USEC": str(int(WATCHDOG_SECONDS * 1_000_000))}
    return daemon(folder, runs, environ, ("-c", HANGING))


async def missed_deadline(manager: socket.socket) -> str:
    """Wait as the watchdog does for a missed keep-alive; return the last deadline that the daemon asked for."""
    loop, asked, seconds = asyncio.get_running_loop(), "", WATCHDOG_SECONDS
    while True:
        try:
            async with asyncio.timeout(seconds):
                for line in (await loop.sock_recv(manager, 4096)).decode().split("\n"):
                    if line.startswith("WATCHDOG_USEC="):
                        asked, seconds = line, int(line.partition("=")[2]) / 1_000_000
        except TimeoutError:
            return asked


async def test_r29_a_hanging_loop_is_found_in_time_logs_its_stack_and_the_next_start_continues(
    tmp_path: Path, manager: socket.socket
) -> None:
    api, runs = RecordingSimulator(), list[DaemonRun]()
    hangs = rounds(few=2, full=20)
    async with serve(api) as simulator, listening(Inbox()) as hook:
        (tmp_path / "config.toml").write_text(
            daemon_in_process.settings(simulator.base_url, list(SERVICES), {"hook": hook.url})
        )
        async with changes_under_way(api, 29):
            for _ in range(hangs):
                shown = len(api.shown)
                async with under_systemd(tmp_path, runs) as process:
                    await daemon_in_process.eventually(lambda shown=shown: len(api.shown) > shown + 30, 60)  # type: ignore[misc]
                    process.send_signal(signal.SIGUSR1)
                    hung = datetime.now(UTC)
                    assert await missed_deadline(manager) == "WATCHDOG_USEC=2700000", (
                        "the daemon asks for a shorter deadline than the unit"
                    )
                    process.send_signal(signal.SIGABRT)
                    assert await process.wait() == -signal.SIGABRT
                # From then on it polled nothing.
                runs[-1] = DaemonRun(runs[-1].started_at, hung)
        async with under_systemd(tmp_path, runs) as process:
            await wait_until_settled(tmp_path, api)
            process.terminate()
            assert await process.wait() == 0
        evidence = daemon_in_process.evidence(tmp_path, api.shown, runs, {"hook": hook.received})
    assert violations(evidence) == []
    log = (tmp_path / "daemon.log").read_text()
    assert log.count("Fatal Python error: Aborted") == hangs
    assert "in hang_here" in log
    assert "in run_async" in log
