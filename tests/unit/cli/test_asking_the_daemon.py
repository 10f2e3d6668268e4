"""A command waits seconds, not half a minute, for a daemon without which it also works."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from watcher.cli import store_access
from watcher.cli.commands.doctor_facts import daemon_facts
from watcher.cli.daemon_health import daemon_health
from watcher.cli.from_daemon import checks_of_daemon, found_by_daemon, secrets_of_daemon, tried_by_daemon
from watcher.config import Config, find_file, load
from watcher.control.protocol import ControlError
from watcher.control.socket_path import UNIT_FOLDER
from watcher.reports.discovery import Form

CONFIG = """
[account.main]
access_key = { env = "A" }
secret_key = { env = "B" }

[state]
url = "sqlite:///here.db"

[[watch]]
service = "6wxgu1abcde"

[receiver.log]
kind = "log"
"""
PROMISED_SECONDS = 5.0
COMMANDS: dict[str, Callable[[Config], object]] = {
    "status": lambda config: daemon_health(config, os.environ),
    "doctor": lambda config: daemon_facts(config, os.environ),
    "doctor, secrets": secrets_of_daemon,
    "check --online": checks_of_daemon,
    "discover": lambda config: found_by_daemon(config, ["main"], Form.BLOCKS, services_only=True),
    "test": lambda config: tried_by_daemon(config, "log"),
}
ANSWERS: dict[str, Mapping[str, object]] = {
    "check.online": {"checks": []},
    "doctor.secrets": {"secrets": []},
    "discover": {"accounts": [], "blocks": [], "failures": []},
}


@dataclass(slots=True)
class Daemon:
    """Stands for the daemon: notes each request with the longest wait for its answer."""

    store: Path
    hangs: bool = False
    asked: list[tuple[str, float | None]] = field(default_factory=list)

    def request(
        self,
        _path: Path,
        command: str,
        _arguments: Mapping[str, object],
        *,
        timeout_seconds: float | None = None,
        on_progress: object = None,
    ) -> Mapping[str, object]:
        del on_progress
        self.asked.append((command, timeout_seconds))
        if self.hangs:
            raise ControlError("the daemon did not answer")
        if command == "ping":
            return {"store": str(self.store), "pid": 7, "version": "1", "commands": sorted(ANSWERS)}
        return ANSWERS[command]


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Config:
    monkeypatch.setenv("RUNTIME_DIRECTORY", "/run/elsewhere")
    path = tmp_path / "config.toml"
    path.write_text(CONFIG)
    return load(path)


@pytest.fixture
def daemon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Daemon:
    made = Daemon(tmp_path / "here.db")
    monkeypatch.setattr("watcher.control.client.request", made.request)
    return made


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_no_wait_for_a_daemon_that_hangs_is_longer_than_promised(config: Config, daemon: Daemon, command: str) -> None:
    daemon.hangs = True
    COMMANDS[command](config)
    assert [seconds for _, seconds in daemon.asked] == [PROMISED_SECONDS] * len(daemon.asked)
    assert daemon.asked


@pytest.mark.parametrize(
    ("command", "request_name"),
    [("check --online", "check.online"), ("doctor, secrets", "doctor.secrets"), ("discover", "discover")],
)
def test_the_socket_of_the_daemon_is_found_once(
    config: Config, daemon: Daemon, command: str, request_name: str
) -> None:
    """One ping finds the socket, the next reads the daemon's commands."""
    COMMANDS[command](config)
    assert [name for name, _ in daemon.asked] == ["ping", "ping", request_name]


@pytest.mark.parametrize("folder", ["", "/run/elsewhere", f"{UNIT_FOLDER}", f"{UNIT_FOLDER}:/run/elsewhere"])
def test_each_place_of_the_unit_is_asked_once(config: Config, folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(find_file, "SYSTEM_FILE", config.path)
    sockets = list(store_access.unit_sockets(config.path, {"RUNTIME_DIRECTORY": folder}))
    assert sockets[-1] == UNIT_FOLDER / "control.sock"
    assert len(sockets) == len(set(sockets)) == (2 if folder == "/run/elsewhere" else 1)
