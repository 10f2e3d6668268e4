"""R17: a full disk while trainings change: no damage, an alert from memory, and full recovery."""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, suppress
from datetime import timedelta
from pathlib import Path

import pytest

from tests.slow.acceptance.test_kill import daemon
from tests.support import daemon_in_process
from tests.support.changing_trainings import SERVICES, all_delivered, keep_changing
from tests.support.invariants import DaemonRun, Evidence, violations
from tests.support.recording_simulator import RecordingSimulator
from tests.support.servers import Inbox, listening
from watcher.simulator import serve

MEGABYTE = 1024 * 1024
DISK_MEGABYTES = 24


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Yield a file system of 24 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = shutil.which("mount")
    if os.geteuid() != 0 or mount is None:
        pytest.skip("only root may mount a small disk")
    options = f"size={DISK_MEGABYTES}m"
    mounted = subprocess.run([mount, "-t", "tmpfs", "-o", options, "tmpfs", folder], check=False)  # noqa: S603 - ours
    if mounted.returncode != 0:
        pytest.skip("mounting is not allowed here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=False)  # noqa: S603, S607 - ours


def fill(folder: Path, leave: int) -> Path:
    """Fill the disk except for this number of bytes."""
    ballast = folder / "ballast"
    with ballast.open("ab") as file:
        # In small steps: the daemon writes at the same time, so the free space changes.
        while (disk := os.statvfs(folder)).f_bavail * disk.f_frsize > leave:
            with suppress(OSError):
                size = os.fstat(file.fileno()).st_size
                os.posix_fallocate(file.fileno(), size, max((disk.f_bavail * disk.f_frsize - leave) // 2, 1))
    return ballast


def integrity(path: Path) -> str:
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        return str(connection.execute("PRAGMA integrity_check").fetchone()[0])


def event_types(inbox: Inbox) -> list[str]:
    return [str(item.json["type"]) for item in inbox.received]


@pytest.mark.parametrize("leave", [2 * MEGABYTE, 0])
async def test_r17_a_full_disk_damages_and_loses_nothing(small_disk: Path, leave: int) -> None:
    draw = random.Random(20261125)  # noqa: S311 - the changes
    api, runs = RecordingSimulator(), list[DaemonRun]()
    for service in SERVICES:
        api.set_training(service, "pop", "v0", "requesting")
    log = small_disk / "daemon.log"
    async with serve(api) as simulator, listening(Inbox()) as hook:
        text = daemon_in_process.settings(simulator.base_url, list(SERVICES), {"hook": hook.url})
        (small_disk / "config.toml").write_text(text)
        async with daemon(small_disk, runs, {}) as process:
            await daemon_in_process.eventually(lambda: "watcher.started" in log.read_text(), 60)
            changing = asyncio.create_task(keep_changing(api, draw))
            await daemon_in_process.eventually(lambda: len(hook.received) > 5, 60)
            ballast = fill(small_disk, leave)
            await daemon_in_process.eventually(lambda: "watcher.store-failing" in event_types(hook), 60)
            await asyncio.sleep(1.0)
            shown = len(api.shown)
            await asyncio.sleep(3.0)
            assert len(api.shown) == shown, "it polls although it cannot record"
            assert process.returncode is None
            ballast.unlink()
            await daemon_in_process.eventually(lambda: "watcher.store-recovered" in event_types(hook), 60)
            changing.cancel()
            await daemon_in_process.eventually(lambda: len(api.shown) > shown + 20, 60)
            await daemon_in_process.eventually(lambda: all_delivered(small_disk), 60)
            process.terminate()
            assert await process.wait() == 0
    assert integrity(small_disk / "watcher.db") == "ok"
    assert (small_disk / "watcher.db.reserve").stat().st_size > MEGABYTE
    announced = daemon_in_process.history(small_disk)
    trainings = [item for item in announced if item.event.subject.startswith("training:")]
    received = [item for item in hook.received if not item.json["type"].startswith("watcher.")]
    evidence = Evidence(
        shown=api.shown,
        runs=runs,
        announced=trainings,
        received={"hook": received},
        patience=timedelta(minutes=1),
    )
    assert violations(evidence) == []
    assert event_types(hook).count("watcher.store-failing") == 1
    if leave:
        assert '"event": "store.failure_notified"' in log.read_text(), "the log is on the full disk too"
