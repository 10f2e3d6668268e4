"""R29: a loop that hangs is found in the time that systemd is asked for, says where it hung, and is gone on from.

The test stands for systemd here; ``make test-systemd`` has a real one.
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

from tests.acceptance.test_kill import daemon
from tests.support import daemon_in_process
from tests.support.changing_trainings import SERVICES, changes_under_way, quiet
from tests.support.fault_table import rounds
from tests.support.invariants import Life, violations
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
"""The command, and a signal that lets its loop hang."""


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[socket.socket]:
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as bound:
        bound.bind(str(tmp_path / "notify"))
        bound.setblocking(False)  # noqa: FBT003 - the library's own
        yield bound


def served(folder: Path, lives: list[Life]) -> AbstractAsyncContextManager[asyncio.subprocess.Process]:
    """Start the daemon as systemd does, as long as the block runs."""
    announced = {"NOTIFY_SOCKET": str(folder / "notify"), "WATCHDOG_USEC": str(int(WATCHDOG_SECONDS * 1_000_000))}
    return daemon(folder, lives, announced, ("-c", HANGING))


async def silence(manager: socket.socket) -> str:
    """Wait as the watchdog does until nothing was heard for as long as was asked for; return what was asked for."""
    loop, asked, seconds = asyncio.get_running_loop(), "", WATCHDOG_SECONDS
    while True:
        try:
            async with asyncio.timeout(seconds):
                for line in (await loop.sock_recv(manager, 4096)).decode().split("\n"):
                    if line.startswith("WATCHDOG_USEC="):
                        asked, seconds = line, int(line.partition("=")[2]) / 1_000_000
        except TimeoutError:
            return asked


@pytest.mark.slow
async def test_r29_a_loop_that_hangs_is_found_in_time_says_where_and_is_gone_on_from(
    tmp_path: Path, manager: socket.socket
) -> None:
    api, lives = RecordingSimulator(), list[Life]()
    hangs = rounds(few=2, full=20)
    async with serve(api) as simulator, listening(Inbox()) as hook:
        (tmp_path / "config.toml").write_text(
            daemon_in_process.settings(simulator.base_url, list(SERVICES), {"hook": hook.url})
        )
        async with changes_under_way(api, 29):
            for _ in range(hangs):
                shown = len(api.shown)
                async with served(tmp_path, lives) as process:
                    await daemon_in_process.eventually(lambda shown=shown: len(api.shown) > shown + 30, 60)  # type: ignore[misc]
                    process.send_signal(signal.SIGUSR1)
                    hung = datetime.now(UTC)
                    assert await silence(manager) == "WATCHDOG_USEC=2700000", "sooner than the unit says"
                    process.send_signal(signal.SIGABRT)
                    assert await process.wait() == -signal.SIGABRT
                # It saw nothing more from there on.
                lives[-1] = Life(lives[-1].born, hung)
        async with served(tmp_path, lives) as process:
            await quiet(tmp_path, api)
            process.terminate()
            assert await process.wait() == 0
        evidence = daemon_in_process.evidence(tmp_path, api.shown, lives, {"hook": hook.received})
    assert violations(evidence) == []
    log = (tmp_path / "daemon.log").read_text()
    assert log.count("Fatal Python error: Aborted") == hangs
    assert "in hang_here" in log
    assert "in run_async" in log
