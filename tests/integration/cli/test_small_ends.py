"""Ends of a command that are no traceback: a reader that wants no more, a full disk, a secret that is gone."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from watcher.clock import Clock
from watcher.config import SecretKind, SecretRef
from watcher.line_writer import LineWriter
from watcher.logs import Redactor
from watcher.reports.store_health import StoreHealth
from watcher.wiring.runtime import Runtime
from watcher.wiring.secret_sources import CurrentSecret

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
    ],
)
def test_output_that_cannot_be_written_is_no_traceback(script: str, status: int, said: str | None) -> None:
    shell = ["/bin/bash", "-o", "pipefail", "-c", script]
    ended = subprocess.run(shell, check=False, capture_output=True, text=True)  # noqa: S603 - our own command
    assert ended.returncode == status, ended.stderr
    assert "Traceback" not in ended.stderr
    assert said is None or ended.stderr == said


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
