"""Ends of a command that are no traceback: a reader that wants no more, a full disk, a secret that is gone."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from tests.integration.cli.support import runner
from tests.unit.reports.facts import POP, event
from watcher.clock import Clock
from watcher.config import AccountSettings, SecretKind, SecretRef
from watcher.core.batch import Batch
from watcher.line_writer import LineWriter
from watcher.logs import Redactor
from watcher.reports.store_health import StoreHealth
from watcher.simulator import SIMULATOR_ACCESS_KEY, SIMULATOR_SECRET_KEY, Simulator, serve
from watcher.store.polls import PollStore
from watcher.store.sqlite.database import open_database
from watcher.wiring.accounts import AccountKeys
from watcher.wiring.runtime import Runtime
from watcher.wiring.secrets.sources import CurrentSecret

NOW = datetime(2026, 11, 28, 3, 0, tzinfo=UTC)
COMMAND = f"{sys.executable} -m watcher"
LONG, SHORT = "config schema", "--version"


@pytest.mark.parametrize(
    ("script", "status", "said"),
    [
        (f"{COMMAND} {LONG} | head -c 1", 0, ""),
        (f"{COMMAND} {SHORT} | true", 0, ""),
        (f"{COMMAND} {LONG} >/dev/full", 1, "cannot write to standard output: No space left on device\n"),
        (f"{COMMAND} {SHORT} >/dev/full", 1, "cannot write to standard output: No space left on device\n"),
        (f"{COMMAND} config no-such >/dev/full", 2, None),
        (f"{COMMAND} {LONG} 2>/dev/full >/dev/null", 0, ""),
        (f"{COMMAND} config no-such 2>/dev/full", 2, ""),
        (f"{COMMAND} check --config /no/such 2>/dev/full", 78, ""),
        (f"{COMMAND} {SHORT} >/dev/full 2>&1", 1, ""),
    ],
)
def test_output_that_cannot_be_written_is_no_traceback(script: str, status: int, said: str | None) -> None:
    shell = ["/bin/bash", "-o", "pipefail", "-c", script]
    ended = subprocess.run(shell, check=False, capture_output=True, text=True)  # noqa: S603 - our own command
    assert ended.returncode == status, ended.stderr
    assert "Traceback" not in ended.stderr
    assert said is None or ended.stderr == said


CONFIG = """
[account.main]
access_key = { env = "A" }
secret_key = { env = "B" }
[state]
url = "sqlite:///watcher.db"
[[watch]]
service = "6wxgu1abcde"
[receiver.console]
kind = "log"
"""


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a configuration whose store has a history longer than the buffer of a pipe."""
    folder = tmp_path_factory.mktemp("store")
    (folder / "config.toml").write_text(CONFIG)
    events = tuple(
        event(id=f"evt_{number:06}abcdefghij", seq=number, version="v1", subject=POP.subject) for number in range(1500)
    )
    with closing(open_database(folder / "watcher.db", purpose="test", now=NOW)) as database:
        asyncio.run(PollStore(database).record(Batch(events=events)))
    return folder / "config.toml"


@pytest.mark.parametrize(
    ("script", "status", "said"),
    [
        ("history --limit 1500 --config {} | head -1", 0, ""),
        ("status --config {} | head -c 0", 0, ""),
        ("status --config {} >/dev/full", 1, "cannot write to standard output: No space left on device"),
        ("history --config {} >/dev/full", 1, "cannot write to standard output: No space left on device"),
        ("history --config {} 2>/dev/full >/dev/null", 0, ""),
        ("status --config {} 2>/dev/full >/dev/null", 1, ""),
    ],
)
def test_reading_commands_end_quietly_for_head_and_name_a_full_disk(
    config: Path, script: str, status: int, said: str
) -> None:
    line = f"{COMMAND} {script.format(config)}"
    shell = ["/bin/bash", "-o", "pipefail", "-c", line]
    ended = subprocess.run(shell, check=False, capture_output=True, text=True)  # noqa: S603 - our own command
    assert ended.returncode == status, ended.stderr
    assert "Traceback" not in ended.stderr
    lines = [line for line in ended.stderr.splitlines() if not line.startswith("configuration: ")]
    assert lines == ([said] if said else [])


def test_a_secret_that_cannot_be_read_is_logged_once_and_when_it_is_back(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("first-secret\n")
    runtime = Runtime(environ={}, redactor=Redactor(), clock=Clock(), output=LineWriter(sys.stdout))
    secret = CurrentSecret(SecretRef(SecretKind.FILE, str(file)), runtime)
    with capture_logs() as logged:
        file.unlink()
        assert [secret().reveal() for _ in range(5)] == ["first-secret"] * 5
        file.write_text("")
        assert [secret().reveal() for _ in range(5)] == ["first-secret"] * 5
        file.write_text("second-secret\n")
        assert [secret().reveal() for _ in range(5)] == ["second-secret"] * 5
    assert [line["event"] for line in logged] == [
        "secret.read_failed",
        "secret.read_failed",
        "secret.read_recovered",
    ], "a new problem is a new line"


def test_unreadable_keys_of_an_account_are_logged_once_and_the_last_pair_counts(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("first-secret")
    environ = {"ACCESS": "access"}
    runtime = Runtime(environ=environ, redactor=Redactor(), clock=Clock(), output=LineWriter(sys.stdout))
    settings = AccountSettings(
        access_key=SecretRef(SecretKind.ENV, "ACCESS"), secret_key=SecretRef(SecretKind.FILE, str(file))
    )
    keys = AccountKeys(settings, runtime)
    with capture_logs() as logged:
        file.unlink()
        assert {keys.current().secret_key.reveal() for _ in range(5)} == {"first-secret"}
        file.write_text("two\nlines")
        assert {keys.current().secret_key.reveal() for _ in range(5)} == {"first-secret"}
        file.write_text("second-secret")
        assert {keys.current().secret_key.reveal() for _ in range(5)} == {"second-secret"}
    assert [line["event"] for line in logged] == ["secret.read_failed", "secret.read_failed", "secret.read_recovered"]
    assert logged[2]["secret"] == f"env ACCESS, file {file}"


KEYS = """
[account.main]
base_url = "{base_url}"
access_key = {{ env = "NCP_ACCESS_KEY" }}
secret_key = {secret_key}

[state]
url = "sqlite:///watcher.db"

[[watch]]
service = "*"

[receiver.hook]
kind = "webhook"
url = "http://127.0.0.1:9/"
secret = {{ env = "HOOK_SECRET" }}
"""


@pytest.mark.parametrize(
    "given",
    [
        ('{ env = "NCP_SECRET_KEY" }', '"{}"', "secret_key is in quotes, which count as part of it: remove them"),
        ('{ file = "key" }', "NCP_SECRET_KEY={}", "secret_key looks like NAME=VALUE: leave only the value there"),
        ('{ credential = "key" }', "export KEY='{}'", "secret_key looks like NAME=VALUE: leave only the value there"),
    ],
)
async def test_keys_that_aitems_rejects_get_a_hint_about_a_likely_mistake(
    given: tuple[str, str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    source, around, mistake = given
    text = around.format(SIMULATOR_SECRET_KEY)
    (tmp_path / "key").write_text(text + "\n")
    (tmp_path / "key").chmod(0o600)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    monkeypatch.setenv("NCP_ACCESS_KEY", SIMULATOR_ACCESS_KEY)
    monkeypatch.setenv("NCP_SECRET_KEY", text)
    monkeypatch.setenv("HOOK_SECRET", "'whsec_c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0'")
    async with serve(Simulator()) as simulator:
        (tmp_path / "config.toml").write_text(KEYS.format(base_url=simulator.base_url, secret_key=source))
        run = runner(capsys)
        online = await asyncio.to_thread(run, "check", "--online", "--config", tmp_path / "config.toml")
        doctor = await asyncio.to_thread(run, "doctor", "--config", tmp_path / "config.toml")
    account, watch, hook = (
        line for line in online.out.splitlines() if line.startswith(("account main  ", "watch *", "receiver hook"))
    )
    assert mistake in account
    assert "the same as account main" in watch
    assert online.out.count(mistake) == 1
    assert "FAILED" in hook
    assert "secret (env HOOK_SECRET) is in quotes" in online.out
    problem, _, remedy = mistake.removeprefix("secret_key ").partition(": ")
    assert problem in doctor.out
    assert remedy in doctor.out
    assert SIMULATOR_SECRET_KEY not in online.out + online.err + doctor.out + doctor.err


UNREADABLE = {
    "no variable": 'secret = { env = "HOOK_SECRET" }',
    "no file": 'secret = { file = "gone" }',
    "no credential": 'secret = { credential = "hook" }',
    "no header": 'headers = { "X-Key" = { env = "HOOK_SECRET" } }',
}


@pytest.mark.parametrize("given", UNREADABLE)
async def test_a_reachable_receiver_whose_secret_cannot_be_read_is_no_good(
    given: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HOOK_SECRET", "CREDENTIALS_DIRECTORY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NCP_ACCESS_KEY", SIMULATOR_ACCESS_KEY)
    async with serve(Simulator()) as simulator:
        # The system itself answers the connection, so no server of ours has one open at the end.
        listener = socket.create_server(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        text = KEYS.format(base_url=simulator.base_url, secret_key='{ env = "NCP_ACCESS_KEY" }')
        text = text.replace('secret = { env = "HOOK_SECRET" }', UNREADABLE[given])
        (tmp_path / "config.toml").write_text(text.replace("http://127.0.0.1:9/", f"http://127.0.0.1:{port}/"))
        online = await asyncio.to_thread(runner(capsys), "check", "--online", "--config", tmp_path / "config.toml")
        listener.close()
    (hook,) = (line for line in online.out.splitlines() if line.startswith("receiver hook"))
    assert "FAILED" in hook
    assert "secret: " in hook or "X-Key" in hook
    assert online.status == 78


@pytest.mark.parametrize(("because", "problems"), [("asked-for", 0), ("damaged", 1), ("foreign-log", 1), (None, 1)])
def test_only_an_unwished_restore_is_a_problem(because: str | None, problems: int) -> None:
    health = StoreHealth(
        at=NOW,
        created_at=NOW,
        restored_at=NOW,
        restored_because=because,
        newest_backup=NOW,
        backup_failure=None,
        set_aside=("/x/watcher.db.damaged",),
    )
    assert len(health.problems) == problems
