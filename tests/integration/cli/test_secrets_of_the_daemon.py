"""Commands that need secrets, beside a daemon that alone has them."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.integration.cli.support import Result, Run, runner
from tests.support import daemon_in_process
from tests.support.recording_simulator import RecordingSimulator
from tests.support.servers import Inbox, listening
from watcher.cli import daemon_health
from watcher.config import Config, ConfigError, find_file, usable_part
from watcher.config.usable_part import load_usable
from watcher.core.health.problems import DaemonHealth, DaemonState
from watcher.core.health.readiness import NotReady, NotReadyReason
from watcher.simulator import SIMULATOR_ACCESS_KEY, SIMULATOR_SECRET_KEY, serve

SERVICE = "6wxgu1abcde"
CONFIG = """
[account.main]
base_url = "{base_url}"
access_key = {{ credential = "access" }}
secret_key = {{ credential = "secret" }}
requests_per_second = 100.0

[state]
url = "sqlite:///watcher.db"

[web]
listen = ""

[[watch]]
service = "{service}"

[receiver.hook]
kind = "webhook"
url = {{ credential = "hook" }}
"""
WITHOUT_SECRETS = {"check --online": 78, "discover": 78, "test hook": 78, "doctor --online": 1}
"""The exit status of each command whose secrets cannot be read, by the command."""
UNUSABLE = {
    "a credential that is missing": ("test hook", '{ credential = "hook" }', '{ credential = "other" }'),
    "a credential that is no URL": ("test hook", '{ credential = "hook" }', '{ credential = "access" }'),
    "a certificate of a receiver": ("test hook", 'kind = "webhook"', 'kind = "webhook"\nca_file = "none.pem"'),
    "a key that is missing": ("discover", '{ credential = "secret" }', '{ credential = "other" }'),
    "a certificate of an account": ("discover", "requests_per_second", 'ca_file = "none.pem"\nrequests_per_second'),
}
"""A command with a setting that cannot be used: the text of the configuration, and another one in its place."""


@dataclass(slots=True)
class Place:
    """A folder with a configuration, beside a daemon that has its credentials."""

    config: Path
    hook: Inbox
    run: Run

    async def command(self, line: str) -> Result:
        """Run a command in a thread: the daemon is in this process."""
        return await asyncio.to_thread(self.run, *line.split(), "--config", self.config)


@pytest.fixture
async def place(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Place]:
    for name in (*daemon_in_process.ENVIRON, "CREDENTIALS_DIRECTORY"):
        monkeypatch.delenv(name, raising=False)
    api, hook = RecordingSimulator(), Inbox()
    api.set_training(SERVICE, "pop", "v1", "learning")
    async with serve(api) as simulator, listening(hook):
        text = CONFIG.format(base_url=simulator.base_url, service=SERVICE)
        (tmp_path / "config.toml").write_text(text)
        credentials = {"access": SIMULATOR_ACCESS_KEY, "secret": SIMULATOR_SECRET_KEY, "hook": hook.url}
        for name, secret in credentials.items():
            (tmp_path / name).write_text(secret)
        async with daemon_in_process.running(tmp_path, text, {"CREDENTIALS_DIRECTORY": str(tmp_path)}):
            yield Place(tmp_path / "config.toml", hook, runner(capsys))


def document(ended: Result) -> Any:
    """Return the printed document; the daemon in this process logs to standard output too."""
    return json.loads(ended.out[ended.out.index("{\n") :])


async def test_a_command_uses_the_secrets_of_the_daemon(place: Place) -> None:
    online = await place.command("check --online")
    assert online.status == 0, online.out
    assert "key accepted, 1 service" in online.out
    assert f"inside the daemon, process {os.getpid()}, with its secrets" in online.err
    found = await place.command("discover")
    assert f'service = "{SERVICE}"' in found.out
    assert 'version = "v1"' in found.out
    tested = await place.command("test hook")
    assert (tested.status, "delivered" in tested.out) == (0, True)
    assert place.hook.events()[-1]["id"].startswith("evt_test")
    doctor = await place.command("doctor --online")
    assert "account.main.access_key" in doctor.out
    assert "credential access: present" in doctor.out
    assert "key accepted" in doctor.out


async def test_the_documents_for_programs_are_the_same(place: Place) -> None:
    online = document(await place.command("check --json --online"))
    assert [item["good"] for item in online["online"]] == [True, True, True]
    found = document(await place.command("discover --json"))
    assert found["accounts"][0]["services"][0]["trainings"][0]["status"] == "learning"
    tested = document(await place.command("test hook --json"))
    assert (tested["receiver"], tested["delivered"]) == ("hook", True)


async def test_check_says_where_the_daemon_sends_no_alerts_at_all(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    unrouted = NotReadyReason(code=NotReady.EVENTS_UNROUTED, detail="1 event is not routed")
    health = DaemonHealth(state=DaemonState.RUNNING, reasons=(unrouted,))
    monkeypatch.setattr(daemon_health, "daemon_health", lambda *_: health)
    online = await place.command("check --online")
    assert (online.status, "daemon: 1 event is not routed" in online.out) == (1, True), online
    assert len(document(await place.command("check --json --online"))["problems"]) == 1


async def test_the_text_of_the_command_counts_not_that_of_the_daemon(place: Place) -> None:
    place.config.write_text(place.config.read_text() + '\n[receiver.later]\nkind = "log"\n')
    assert "receiver later" in (await place.command("check --online")).out
    assert (await place.command("test later")).status == 0


async def test_a_credential_that_the_daemon_lacks_is_named(place: Place) -> None:
    place.config.write_text(place.config.read_text().replace('"hook" }', '"other" }'))
    tested = await place.command("test hook")
    assert tested.status == 78
    assert "other" in tested.err
    online = await place.command("check --online")
    assert online.status == 78
    assert "other" in online.out


async def test_doctor_beside_a_faulty_file_uses_the_active_configuration(place: Place) -> None:
    place.config.write_text(place.config.read_text() + "\n[surprise]\n")
    doctor = await place.command("doctor")
    assert doctor.status == 1
    assert "surprise" in doctor.out
    assert "credential access: present" in doctor.out


@pytest.mark.parametrize("fault", ["not UTF-8", "a folder", "no TOML at all"])
async def test_doctor_beside_an_unreadable_file_uses_the_active_configuration(
    place: Place, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The store of a file that cannot be read is the default one, here that of the daemon.
    monkeypatch.setenv("STATE_DIRECTORY", str(place.config.parent))
    make_unreadable(place.config, fault)
    doctor = await place.command("doctor")
    assert doctor.status == 1
    assert "credential access: present" in doctor.out
    checks = document(await place.command("doctor --json --online"))["checks"]
    assert sum("key accepted" in check["detail"] for check in checks) == 1


def make_unreadable(path: Path, fault: str) -> None:
    if fault == "not UTF-8":
        path.write_bytes(path.read_bytes() + b"# \xff\n")
    elif fault == "no TOML at all":
        path.write_text("<<<<<<< HEAD\n")
    else:
        path.unlink()
        path.mkdir()


async def test_a_file_that_is_removed_while_doctor_runs_ends_nothing(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load_and_remove(path: Path) -> tuple[Config, ConfigError | None]:
        loaded = load_usable(path)
        path.unlink()
        return loaded

    monkeypatch.setattr(usable_part, "load_usable", load_and_remove)
    doctor = await place.command("doctor")
    assert "credential access: present" in doctor.out
    assert doctor.status == 0, doctor.out + doctor.err


@pytest.mark.parametrize("command", sorted(WITHOUT_SECRETS))
def test_without_a_daemon_each_command_runs_here(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    (tmp_path / "config.toml").write_text(CONFIG.format(base_url="http://127.0.0.1:1/api/v1", service=SERVICE))
    ended = runner(capsys)(*command.split(), "--config", tmp_path / "config.toml")
    assert ended.status == WITHOUT_SECRETS[command]
    assert "inside the daemon" not in ended.err
    assert "credential" in ended.out + ended.err


async def test_each_command_has_the_same_status_where_the_daemon_lacks_the_secrets(place: Place) -> None:
    text = place.config.read_text()
    place.config.write_text(text.replace('credential = "', 'credential = "no-'))
    ended = {command: await place.command(command) for command in WITHOUT_SECRETS}
    assert {command: result.status for command, result in ended.items()} == WITHOUT_SECRETS
    assert all("inside the daemon" in result.err for result in ended.values())


@pytest.mark.parametrize("fault", sorted(UNUSABLE))
async def test_a_setting_that_cannot_be_used_has_the_same_end_with_and_without_a_daemon(
    place: Place, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    command, old, new = UNUSABLE[fault]
    place.config.write_text(place.config.read_text().replace(old, new))
    inside = await place.command(command)
    # Another store has no daemon.
    place.config.write_text(place.config.read_text().replace("watcher.db", "other.db"))
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(place.config.parent))
    alone = await place.command(command)
    assert ("inside the daemon" in inside.err, "inside the daemon" in alone.err) == (True, False)
    assert (inside.status, alone.status) == (78, 78)
    assert inside.err.splitlines()[-1] == alone.err.splitlines()[-1]


@pytest.mark.parametrize("command", ["check --online", "discover", "test hook", "doctor --online"])
def test_without_the_unit_s_daemon_a_command_says_where_the_secrets_are(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path))
    path = tmp_path / "config.toml"
    path.write_text(CONFIG.format(base_url="http://127.0.0.1:1/api/v1", service=SERVICE))
    monkeypatch.setattr(find_file, "SYSTEM_FILE", path)
    ended = runner(capsys)(*command.split(), "--config", path)
    assert ended.err.count("systemctl start aitems-watcher, then try again") == 1
    if command != "doctor --online":
        assert "only the systemd unit has it: start the unit" in ended.out + ended.err
    assert "{ env" not in ended.out + ended.err, "another kind of secret is no remedy on a server"


async def test_a_verbose_test_inside_the_daemon_says_where_its_log_lines_are(place: Place) -> None:
    verbose, quiet = await place.command("test hook --verbose"), await place.command("test hook")
    assert (verbose.status, quiet.status) == (0, 0)
    assert "in the log of the daemon" in verbose.err
    assert "in the log of the daemon" not in quiet.err
