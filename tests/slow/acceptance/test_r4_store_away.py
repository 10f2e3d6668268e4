"""R4 (SQLite): a store locked for 30 s or failing: the daemon keeps running, and every event is delivered."""

from __future__ import annotations

import asyncio
import random
import resource
import socket
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, closing
from datetime import timedelta
from http import HTTPStatus
from pathlib import Path

import pytest

from tests.slow.acceptance.test_kill import daemon
from tests.support import daemon_in_process
from tests.support.changing_trainings import SERVICES, all_delivered, keep_changing
from tests.support.fault_table import TALLY
from tests.support.invariants import DaemonRun, Evidence, violations
from tests.support.recording_simulator import RecordingSimulator
from tests.support.servers import Inbox, listening
from watcher.simulator import serve

LOCKED_SECONDS = 32.0 if TALLY.full else 12.0
FAILING_SECONDS = 14.0
Away = Callable[[Path, int], AbstractAsyncContextManager[None]]


@asynccontextmanager
async def locked(store: Path, _pid: int) -> AsyncIterator[None]:
    """Lock the file for writing, as a careless backup or a forgotten shell does."""
    with closing(sqlite3.connect(store, isolation_level=None, timeout=30)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        await asyncio.sleep(LOCKED_SECONDS)
        other.execute("ROLLBACK")


@asynccontextmanager
async def failing(_store: Path, pid: int) -> AsyncIterator[None]:
    """Make every write of the daemon to a file fail, with another error than that of a full disk."""
    before = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (512, before[1]))
    yield
    await asyncio.sleep(FAILING_SECONDS)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, before)


def free_address() -> str:
    """Return a free address."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"127.0.0.1:{listener.getsockname()[1]}"


async def readiness(page: str) -> int:
    """Return the HTTP status of ``/readyz``."""
    reader, writer = await asyncio.open_connection(*page.split(":"))
    writer.write(f"GET /readyz HTTP/1.1\r\nHost: {page}\r\nConnection: close\r\n\r\n".encode())
    answer = await reader.read()
    writer.close()
    return int(answer.split()[1])


@pytest.mark.parametrize("away", [locked, pytest.param(failing, marks=pytest.mark.torture)])
async def test_r4_a_store_that_cannot_be_written_for_a_while_loses_nothing(tmp_path: Path, away: Away) -> None:
    draw = random.Random(20261125)  # noqa: S311 - the changes
    api, runs = RecordingSimulator(), list[DaemonRun]()
    for service in SERVICES:
        api.set_training(service, "pop", "v0", "requesting")
    store = tmp_path / "watcher.db"
    async with serve(api) as simulator, listening(Inbox()) as hook:
        page = free_address()
        text = daemon_in_process.settings(simulator.base_url, list(SERVICES), {"hook": hook.url})
        text = text.replace('listen = ""', f'listen = "{page}"')
        (tmp_path / "config.toml").write_text(text)
        async with daemon(tmp_path, runs, {}) as process:
            changing = asyncio.create_task(keep_changing(api, draw))
            await daemon_in_process.eventually(lambda: len(hook.received) > 5, 60)
            assert await readiness(page) == HTTPStatus.OK
            async with away(store, process.pid):
                async with asyncio.timeout(FAILING_SECONDS):
                    while await readiness(page) != HTTPStatus.SERVICE_UNAVAILABLE:
                        await asyncio.sleep(0.2)
            assert process.returncode is None
            changing.cancel()
            shown = len(api.shown)
            await daemon_in_process.eventually(lambda: len(api.shown) > shown + 200, 60)
            await daemon_in_process.eventually(lambda: all_delivered(tmp_path), 90)
            process.terminate()
            assert await process.wait() == 0
    with closing(sqlite3.connect(f"file:{store}?mode=ro", uri=True)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    announced = [item for item in daemon_in_process.history(tmp_path) if item.event.subject.startswith("training:")]
    received = [item for item in hook.received if not item.json["type"].startswith("watcher.")]
    evidence = Evidence(
        shown=api.shown,
        runs=runs,
        announced=announced,
        received={"hook": received},
        patience=timedelta(seconds=LOCKED_SECONDS + 30),
    )
    assert violations(evidence) == []
