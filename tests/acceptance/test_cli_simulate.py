"""``simulate``: errors in scripts and addresses, and Ctrl-C."""

from __future__ import annotations

import signal
import socket
from pathlib import Path

from tests.acceptance.cli_support import command, read_until, started, stopped

FAULTY = """
[[service]]
id = "shop"
interval = "hour1"

[[service.training]]
type = "popp"
version = "v1"
life = [{ at = "1s", status = "learnin" }]
"""


def test_every_fault_of_a_script_is_named(tmp_path: Path) -> None:
    script = tmp_path / "world.toml"
    script.write_text(FAULTY)
    refused = command("simulate", "--port", "0", "--script", script)
    assert refused.returncode == 78
    assert [line.split(": ")[:2] for line in refused.stderr.splitlines()] == [
        [f"{script}:7", "service[0].training[0].type"],
        [f"{script}:9", "service[0].training[0].life[0].status"],
    ]
    assert refused.stdout == ""


def test_a_missing_script_is_named(tmp_path: Path) -> None:
    refused = command("simulate", "--script", tmp_path / "none.toml")
    assert refused.returncode == 78
    assert "none.toml" in refused.stderr


def test_a_port_in_use_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        refused = command("simulate", "--port", str(port))
    assert refused.returncode == 1
    assert refused.stderr == (
        f"cannot listen on 127.0.0.1:{port}: Address already in use; give another --host or --port\n"
    )


def test_ctrl_c_ends_it_with_status_0() -> None:
    with started("simulate", "--port", "0", "--seed", "7") as process:
        lines = read_until(process, "aitems-watcher run")
        assert "Ctrl-C ends it" in lines[0]
        assert any(line.startswith("  curl -X PUT http://127.0.0.1:") for line in lines)
        status, _ = stopped(process, signal.SIGINT)
    assert status == 0


def test_a_history_fills_a_new_store(tmp_path: Path) -> None:
    store = tmp_path / "year.db"
    written = command("simulate", "--history", "3", "--services", "1", "--seed", "7", "--into", store)
    assert written.returncode == 0
    assert written.stdout.splitlines()[0].endswith(f"1 service, 3 days: {store}")
