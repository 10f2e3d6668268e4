"""The installed daemon, killed many times while trainings change."""

from __future__ import annotations

import asyncio
import os
import random
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

from tests.support import daemon_in_process
from tests.support.allowed_repeats import in_flight, needless_repeats
from tests.support.changing_trainings import SERVICES, all_delivered, keep_changing
from tests.support.fault_table import remark, rounds
from tests.support.invariants import DaemonRun, violations
from tests.support.recording_simulator import RecordingSimulator
from tests.support.servers import Inbox, SlowInbox, listening
from watcher.simulator import serve


@asynccontextmanager
async def daemon(
    folder: Path, runs: list[DaemonRun], environ: Mapping[str, str], program: Sequence[str] = ("-m", "watcher")
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run the command as a process; kill it at the end of the block if it still runs."""
    started_at = datetime.now(UTC)
    with (folder / "daemon.log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, *program, "run", "--config", str(folder / "config.toml")),
            stdout=log,
            stderr=log,
            env={**os.environ, **daemon_in_process.ENVIRON, **environ},
        )
    try:
        yield process
    finally:
        died = datetime.now(UTC)
        if process.returncode is None:
            process.kill()
        await process.wait()
        runs.append(DaemonRun(started_at, died, in_flight(folder)))


async def wait_for_kill_time(api: RecordingSimulator, draw: random.Random) -> None:
    """Wait until the time of a kill: one in five comes during the start, the others after the first poll."""
    if draw.random() > 0.2:
        shown = len(api.shown)
        await daemon_in_process.eventually(lambda: len(api.shown) > shown)
    await asyncio.sleep(draw.uniform(0.0, 1.5))


async def test_r1_kills_at_random_times_lose_nothing_and_announce_nothing_under_two_ids(tmp_path: Path) -> None:
    kills = rounds(few=10, full=300)
    draw = random.Random(20261123)  # noqa: S311 - the times of the kills
    api, runs = RecordingSimulator(), list[DaemonRun]()
    # A slow receiver, so that kills come during sends.
    hook, other = SlowInbox(seconds=lambda: draw.choice((0.0, 0.3, 1.0))), Inbox()
    for service in SERVICES:
        api.set_training(service, "pop", "v0", "requesting")
    async with serve(api) as simulator, listening(hook), listening(other):
        receivers = {"hook": hook.url, "other": other.url}
        text = daemon_in_process.settings(simulator.base_url, list(SERVICES), receivers).replace("200ms", "100ms")
        (tmp_path / "config.toml").write_text(text)
        changing = asyncio.create_task(keep_changing(api, draw))
        for _ in range(kills):
            async with daemon(tmp_path, runs, {}):
                await wait_for_kill_time(api, draw)
        changing.cancel()
        hook.seconds = lambda: 0.0
        async with daemon(tmp_path, runs, {}) as last:
            shown = len(api.shown)
            await daemon_in_process.eventually(lambda: len(api.shown) > shown + 100)
            await daemon_in_process.eventually(lambda: all_delivered(tmp_path), 60)
            last.terminate()
            assert await last.wait() == 0
        evidence = daemon_in_process.evidence(
            tmp_path, api.shown, runs, {"hook": hook.received, "other": other.received}
        )
    assert violations(evidence) == []
    assert [*needless_repeats(hook.received, runs), *needless_repeats(other.received, runs)] == []
    half = [life.in_flight for life in runs if life.in_flight]
    remark(f"{len(half)} of {kills} kills during a send; no other message was repeated")
    assert len(half) > kills / 10, "kills outside a send prove nothing about repeats"
    assert len(evidence.announced) > kills, "kills without changes prove nothing"
