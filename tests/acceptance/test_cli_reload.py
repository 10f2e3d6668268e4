"""``reload`` and SIGHUP: the daemon applies its file again, or rejects it."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest

from tests.acceptance.cli_support import KEYS, Workplace, read_until, started, stopped

FAULTY = """
[receiver.more]
kind = "pigeon"

[surprise]
"""
MORE = """
[receiver.more]
kind = "log"

[[route]]
to = ["console", "more"]
"""


@pytest.mark.smoke
def test_it_lists_the_applied_changes_and_those_that_need_a_restart(workplace: Workplace) -> None:
    with started("run", "--config", workplace.config, env=KEYS) as daemon:
        read_until(daemon, "watcher.started")
        assert "  no setting has changed\n" in workplace.command("reload").stdout

        workplace.write(MORE)
        done = workplace.command("reload")
        assert done.returncode == 0, done.stderr
        assert done.stdout.splitlines() == [
            f"reloaded {workplace.config}",
            "  receiver.more: added",
            "  route: changed",
        ]

        workplace.config.write_text(workplace.config.read_text().replace("watcher.db", "other.db"))
        # No daemon listens beside the store that the new file names.
        assert workplace.command("reload").returncode == 1
        daemon.send_signal(signal.SIGHUP)
        assert json.loads(read_until(daemon, "state.url")[-1])["needs_restart"] == ["state.url"]
        assert stopped(daemon, signal.SIGTERM)[0] == 0


def test_r20_an_invalid_file_is_rejected_with_each_fault_on_the_terminal_and_in_the_log(workplace: Workplace) -> None:
    with started("run", "--config", workplace.config, env=KEYS) as daemon:
        read_until(daemon, "watcher.started")
        workplace.write(FAULTY)
        refused = workplace.command("reload")
        assert refused.returncode == 78
        assert "receiver.more.kind: " in refused.stderr
        assert "surprise: " in refused.stderr
        logged = json.loads(read_until(daemon, "config.rejected")[-1])
        assert (logged["level"], len(logged["faults"])) == ("error", 2)
        as_json = workplace.json("reload")
        assert (as_json["outcome"], len(as_json["faults"])) == ("refused", 2)

        daemon.send_signal(signal.SIGHUP)
        read_until(daemon, "config.rejected")
        workplace.simulator.wait_for_polls(2)
        workplace.write()
        assert workplace.command("reload").returncode == 0
        assert stopped(daemon, signal.SIGTERM)[0] == 0


def test_without_a_daemon_the_error_says_so(workplace: Workplace) -> None:
    alone = workplace.command("reload")
    assert alone.returncode == 1
    assert "no daemon listens on" in alone.stderr
    assert "Traceback" not in alone.stderr


def test_the_socket_is_found_in_the_runtime_folder_and_beside_the_store(workplace: Workplace, tmp_path: Path) -> None:
    runtime = tmp_path / "runtime"
    runtime.mkdir()
    around = {"RUNTIME_DIRECTORY": str(runtime)}
    with started("run", "--config", workplace.config, env={**KEYS, **around}) as daemon:
        read_until(daemon, "watcher.started")
        assert [path.name for path in runtime.iterdir()] == ["control.sock"]
        assert workplace.command("reload", env=around).returncode == 0
        assert workplace.command("reload").returncode == 0
        daemon.kill()
    # The socket of a dead daemon is replaced.
    with started("run", "--config", workplace.config, env=KEYS) as daemon:
        read_until(daemon, "watcher.started")
        assert workplace.command("reload").returncode == 0
