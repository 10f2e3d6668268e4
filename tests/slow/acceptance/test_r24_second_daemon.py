"""R24: a second daemon on the same file is refused with the owner's name, and the first continues."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from tests.slow.acceptance.test_kill import daemon
from tests.support import daemon_in_process
from tests.support.allowed_repeats import needless_repeats
from tests.support.changing_trainings import SERVICES, changes_under_way, wait_until_settled
from tests.support.fault_table import rounds
from tests.support.invariants import DaemonRun, violations
from tests.support.recording_simulator import RecordingSimulator
from tests.support.servers import Inbox, listening
from watcher.simulator import serve

COMMANDS = ("run", "once", "restore")


async def outcome(folder: Path, arguments: str) -> tuple[int | None, str]:
    """Run a command to its end; return its exit status and standard error."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "watcher", *arguments.split(), "--config", str(folder / "config.toml")),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, **daemon_in_process.ENVIRON},
    )
    _, said = await process.communicate()
    return process.returncode, said.decode()


async def test_r24_a_second_daemon_is_refused_with_the_owners_name_and_the_first_continues(
    tmp_path: Path,
) -> None:
    api, runs = RecordingSimulator(), list[DaemonRun]()
    async with serve(api) as simulator, listening(Inbox()) as hook:
        text = daemon_in_process.settings(simulator.base_url, list(SERVICES), {"hook": hook.url})
        (tmp_path / "config.toml").write_text(text)
        async with daemon(tmp_path, runs, {}) as first:
            async with changes_under_way(api, 24):
                await daemon_in_process.eventually(lambda: len(hook.received) > 3, 60)
                for number in range(rounds(few=3, full=60)):
                    announced = len(hook.received)
                    status, said = await outcome(tmp_path, COMMANDS[number % len(COMMANDS)])
                    assert (status, f"in use by process {first.pid} (run, since " in said) == (75, True), said
                    await daemon_in_process.eventually(lambda announced=announced: len(hook.received) > announced, 60)  # type: ignore[misc]
                assert (await outcome(tmp_path, "reload"))[0] == 0, "the socket still belongs to the first daemon"
            await wait_until_settled(tmp_path, api)
            first.terminate()
            assert await first.wait() == 0
        evidence = daemon_in_process.evidence(tmp_path, api.shown, runs, {"hook": hook.received})
    assert violations(evidence) == []
    assert needless_repeats(hook.received, runs) == []
