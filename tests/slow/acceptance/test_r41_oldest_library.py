"""R41: with the oldest SQLite library everything works, and an older one is refused at the start in one line.

The full test needs a real library: ``AITEMS_WATCHER_OLD_SQLITE`` names a folder with its ``libsqlite3.so.0``. Without
it, SQLAlchemy and Alembic take this library for the oldest, and a statement with a later feature does not compile.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from unittest import mock

import pytest

from tests.support import daemon_in_process
from tests.support.changing_trainings import SERVICES, changes_under_way, wait_until_settled
from tests.support.fault_table import remark, rounds
from tests.support.invariants import DaemonRun, violations
from tests.support.recording_simulator import RecordingSimulator
from tests.support.servers import Inbox, listening
from watcher.simulator import serve
from watcher.store.sqlite.library import OLDEST, oldest

OLD_LIBRARY = os.environ.get("AITEMS_WATCHER_OLD_SQLITE")
PRETEND = """
import sqlite3, sqlite3.dbapi2, sys
for module in (sqlite3, sqlite3.dbapi2):
    module.sqlite_version_info, module.sqlite_version = {version!r}, {text!r}
from watcher.__main__ import main
sys.argv[0] = "aitems-watcher"
main()
"""


def run_command(folder: Path, *arguments: str, version: tuple[int, int, int]) -> subprocess.CompletedProcess[str]:
    """Run a command of ours on a library that says to be of this version."""
    code = PRETEND.format(version=version, text=".".join(map(str, version)))
    return subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-c", code, *arguments, "--config", str(folder / "config.toml")],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, **daemon_in_process.ENVIRON},
    )


async def test_r41_with_the_oldest_library_every_change_arrives(tmp_path: Path) -> None:
    api = RecordingSimulator()
    async with serve(api) as simulator, listening(Inbox()) as hook:
        text = daemon_in_process.settings(simulator.base_url, list(SERVICES), {"hook": hook.url})
        with mock.patch("sqlite3.dbapi2.sqlite_version_info", OLDEST):
            async with daemon_in_process.running(tmp_path, text) as daemon:
                started_at = daemon.clock.utc_now()
                async with changes_under_way(api, 41):
                    enough = rounds(few=10, full=500)
                    await daemon_in_process.eventually(lambda: len(hook.received) > enough, 240)
                await wait_until_settled(tmp_path, api)
                assert list(await daemon.health_endpoints.reasons()) == []
                runs = [DaemonRun(started_at, daemon.clock.utc_now())]
        evidence = daemon_in_process.evidence(tmp_path, api.shown, runs, {"hook": hook.received})
    assert evidence.announced
    assert violations(evidence) == []
    remark(f"SQLite taken for {oldest()}")


@pytest.mark.parametrize("name", ["run", "once", "status", "doctor", "migrate"])
def test_r41_an_older_library_is_refused_in_one_line(tmp_path: Path, name: str) -> None:
    text = daemon_in_process.settings("http://127.0.0.1:1/api/v1", list(SERVICES), {"hook": "http://127.0.0.1:1/"})
    (tmp_path / "config.toml").write_text(text)
    (tmp_path / "watcher.db").touch()
    done = run_command(tmp_path, name, version=(3, 33, 0))
    said = [line for line in (done.stdout + done.stderr).splitlines() if "3.33.0" in line]
    assert len(said) == 1
    assert f"the store needs {oldest()} or later" in said[0]
    assert "Traceback" not in done.stderr
    assert done.returncode == (1 if name == "doctor" else 75)
    assert (tmp_path / "watcher.db").stat().st_size == 0


@pytest.mark.torture
def test_r41_the_tests_of_the_store_pass_with_the_real_library() -> None:
    if OLD_LIBRARY is None:
        pytest.skip("AITEMS_WATCHER_OLD_SQLITE names no folder with a libsqlite3.so.0")
    environ = {**os.environ, "LD_LIBRARY_PATH": OLD_LIBRARY}
    version = subprocess.run(
        [sys.executable, "-c", "import sqlite3; print(sqlite3.sqlite_version)"],
        check=True,
        capture_output=True,
        text=True,
        env=environ,
    ).stdout.strip()
    tests = [sys.executable, "-m", "pytest", "-q", "-n", "0", "tests/integration/store", "tests/integration/virtual"]
    done = subprocess.run(tests, check=False, capture_output=True, text=True, env=environ)  # noqa: S603 - as above
    assert done.returncode == 0, done.stdout[-2000:]
    remark(f"SQLite {version}: {done.stdout.strip().splitlines()[-1]}")
