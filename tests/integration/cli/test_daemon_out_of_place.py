"""Commands beside a daemon whose store or control socket is no longer at its place."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import shutil
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.integration.cli.support import Result, Run, runner
from watcher.control.server import ControlServer
from watcher.control.socket_path import link_path
from watcher.store.sqlite.backup_folder import BackupFolder
from watcher.store.sqlite.database import open_database
from watcher.store.sqlite.file_names import LOCK, side_file

NOW = datetime(2026, 11, 28, 3, 0, tzinfo=UTC)
CONFIG = """
[account.main]
access_key = { env = "A" }
secret_key = { env = "B" }
[state]
url = "sqlite:///state/watcher.db"
[[watch]]
service = "6wxgu1abcde"
[receiver.console]
kind = "log"
"""
PID = 4711


@dataclass(frozen=True, slots=True)
class Place:
    """A configuration whose store has been opened once."""

    folder: Path
    run: Run

    @property
    def store(self) -> Path:
        return self.folder / "state" / "watcher.db"

    async def command(self, line: str) -> Result:
        """Run a command in a thread: the daemon answers in this one."""
        return await asyncio.to_thread(self.run, *line.split(), "--config", self.folder / "config.toml")


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a store once; each test has a copy."""
    path = tmp_path_factory.mktemp("template") / "watcher.db"
    open_database(path, purpose="test", now=NOW).close()
    return path


@pytest.fixture
def place(tmp_path: Path, template: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Place:
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(tmp_path / "run"))
    (tmp_path / "run").mkdir()
    (tmp_path / "state").mkdir()
    (tmp_path / "config.toml").write_text(CONFIG)
    made = Place(tmp_path, runner(capsys))
    made.store.write_bytes(template.read_bytes())
    return made


@pytest.fixture
async def daemon(place: Place) -> AsyncIterator[ControlServer]:
    """Serve the control socket of a daemon in the unit's folder, with the link beside the store."""

    async def ping(_arguments: Mapping[str, object]) -> Mapping[str, object]:
        return {"pid": PID, "version": "1", "store": str(place.store), "commands": []}

    async def health(_arguments: Mapping[str, object]) -> Mapping[str, object]:
        return {"reasons": [], "problems": []}

    handlers = {"ping": ping, "health": health}
    socket = place.folder / "run" / "control.sock"
    async with ControlServer(socket, handlers, link=link_path(place.store)) as server:
        yield server


def document(ended: Result) -> Any:
    """Return the printed document; the daemon in this process logs to standard output too."""
    return json.loads(ended.out[ended.out.index("{\n") :])


def move_folder(place: Place) -> None:
    place.store.parent.rename(place.folder / "elsewhere")


def remove_folder(place: Place) -> None:
    shutil.rmtree(place.store.parent)


def remove_file(place: Place) -> None:
    place.store.unlink()


def empty_folder(place: Place) -> None:
    remove_folder(place)
    place.store.parent.mkdir()


LOSSES = [move_folder, remove_folder, remove_file, empty_folder]
WITHOUT_STORE = f"process {PID}, the daemon of this store, runs without it"


@pytest.mark.parametrize("lose", LOSSES)
@pytest.mark.parametrize("command", ["status", "status 6wxgu1abcde", "status --failed", "doctor"])
@pytest.mark.usefixtures("daemon")
async def test_a_store_that_vanished_under_its_daemon_is_a_problem(
    place: Place, lose: Callable[[Place], None], command: str
) -> None:
    lose(place)
    ended = await place.command(command)
    assert ended.status == 1
    assert WITHOUT_STORE in ended.out
    assert "folder back" in ended.out
    assert "start the watcher once" not in ended.out + ended.err


@pytest.mark.parametrize("lose", LOSSES)
@pytest.mark.usefixtures("daemon")
async def test_programs_read_that_a_store_vanished_under_its_daemon(
    place: Place, lose: Callable[[Place], None]
) -> None:
    lose(place)
    status = await place.command("status --json")
    assert (status.status, [item["code"] for item in document(status)["problems"]]) == (1, ["store-unreadable"])
    checks = document(await place.command("doctor --json"))["checks"]
    assert [item["verdict"] for item in checks if item["about"] == "store"] == ["fault"]


@pytest.mark.parametrize("command", ["history", "deliveries list", "silence list", "backup copy.db", "migrate"])
@pytest.mark.usefixtures("daemon")
async def test_every_command_on_the_store_says_that_it_vanished_under_its_daemon(place: Place, command: str) -> None:
    move_folder(place)
    ended = await place.command(command)
    assert ended.status == 75
    assert WITHOUT_STORE in ended.err


@pytest.mark.parametrize("lose", LOSSES)
@pytest.mark.usefixtures("daemon")
async def test_no_backup_is_restored_under_a_daemon_without_its_store(
    place: Place, lose: Callable[[Place], None]
) -> None:
    assert (await place.command(f"backup {place.folder / 'backup.db'}")).status == 0
    lose(place)
    ended = await place.command(f"restore {place.folder / 'backup.db'}")
    assert (ended.status, place.store.exists()) == (75, False)
    assert f"process {PID}" in ended.err


@pytest.mark.parametrize("lose", LOSSES)
async def test_without_a_daemon_a_missing_store_is_no_fault_yet(place: Place, lose: Callable[[Place], None]) -> None:
    lose(place)
    status, doctor = await place.command("status"), await place.command("doctor")
    assert (status.status, "there is no store at" in status.err) == (75, True)
    assert "warning: there is no store" in " ".join(doctor.out.split()) or "there is no store" in doctor.out


@pytest.fixture
def opened(place: Place, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Hold the store open as a daemon without a runtime folder does: its socket goes with the store."""
    monkeypatch.delenv("RUNTIME_DIRECTORY")
    with closing(open_database(place.store, purpose="run", now=NOW)):
        yield


def replace_folder(place: Place) -> None:
    """Put another store in its place, as ``once`` does after a removal."""
    copy = place.store.read_bytes()
    empty_folder(place)
    place.store.write_bytes(copy)


IN_THIS_PROCESS = f"process {os.getpid()}, the daemon of this store, runs without it"


@pytest.mark.parametrize("lose", [*LOSSES, replace_folder])
@pytest.mark.parametrize("command", ["status", "status --failed", "doctor"])
@pytest.mark.usefixtures("opened")
async def test_a_daemon_whose_socket_vanished_with_its_store_is_the_first_problem(
    place: Place, lose: Callable[[Place], None], command: str
) -> None:
    lose(place)
    ended = await place.command(command)
    assert ended.status == 1
    # Tables break a long line between words.
    said = " ".join(ended.out.split())
    assert IN_THIS_PROCESS in said
    assert said.removeprefix("store fault ").removeprefix("store-unreadable fault ").startswith("process ")
    assert "start the watcher once" not in said
    assert "no daemon" not in said


@pytest.mark.parametrize(
    "command",
    {"history": 75, "silence list": 75, "restore": 75, "once": 75, "reload": 1, "test console": 1}.items(),
)
@pytest.mark.usefixtures("opened")
async def test_every_command_names_a_daemon_whose_socket_vanished_with_its_store(
    place: Place, command: tuple[str, int]
) -> None:
    remove_folder(place)
    ended = await place.command(command[0])
    assert (ended.status, place.store.exists()) == (command[1], False)
    assert IN_THIS_PROCESS in " ".join((ended.out + ended.err).split())
    assert "makes the socket again" not in ended.out + ended.err


@pytest.mark.parametrize("purpose", ["once", "backup"])
async def test_another_command_that_lost_its_store_is_no_daemon(
    place: Place, purpose: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RUNTIME_DIRECTORY")
    with closing(open_database(place.store, purpose=purpose, now=NOW)):
        remove_folder(place)
        status, doctor = await place.command("status"), await place.command("doctor")
    assert (status.status, "there is no store at" in status.err) == (75, True)
    assert "there is no store at" in doctor.out
    assert "runs without it" not in doctor.out


@pytest.mark.parametrize("lose", LOSSES)
async def test_a_missing_store_with_backups_is_a_fault_of_doctor(place: Place, lose: Callable[[Place], None]) -> None:
    BackupFolder(place.store).add(NOW)
    lose(place)
    checks = document(await place.command("doctor --json"))["checks"]
    verdict = "fault" if lose is remove_file else "warning"
    assert [item["verdict"] for item in checks if item["about"] == "store"] == [verdict]
    assert (await place.command("status")).status == 75


async def test_a_daemon_of_another_store_does_not_run_without_this_one(place: Place, daemon: ControlServer) -> None:
    del daemon
    config = place.folder / "config.toml"
    config.write_text(config.read_text().replace("watcher.db", "other.db"))
    ended = await place.command("status")
    assert (ended.status, "there is no store at" in ended.err) == (75, True)


LOCKS: dict[str, dict[str, object]] = {
    "running": {"pid": os.getpid(), "purpose": "run", "since": "2026-11-28T03:00:00.000Z"},
    "with an epoch": {"pid": os.getpid(), "purpose": "run", "since": "2026-11-28T03:00:00.000Z", "epoch": "x"},
    "starting": {"pid": os.getpid(), "purpose": "run"},
}
"""Notes of a daemon's lock."""
ASKING = {
    "reload": 1,
    "status": 1,
    "doctor": 1,
    "silence add service=x --for 1h --why x": 1,
    "deliveries drop msg_01jdxq5k": 1,
}
"""The exit status of each command that asks the daemon."""


@contextmanager
def lock_held(place: Place, note: Mapping[str, object]) -> Iterator[None]:
    """Hold the lock of the store as its daemon does."""
    with side_file(place.store, LOCK).open("w") as lock:
        lock.write(json.dumps(note))
        lock.flush()
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@pytest.mark.parametrize("note", LOCKS.values(), ids=LOCKS)
@pytest.mark.parametrize("command", ASKING)
async def test_a_command_names_the_daemon_whose_socket_is_gone(
    place: Place, command: str, note: Mapping[str, object]
) -> None:
    with lock_held(place, note):
        ended = await place.command(command)
    said = ended.out + ended.err
    assert ended.status == ASKING[command], said
    assert f"process {os.getpid()} seems to be the daemon of this store, but its control socket is gone" in said
    assert "no daemon" not in said
    assert "stop it first" not in said
    assert "restart" in said
