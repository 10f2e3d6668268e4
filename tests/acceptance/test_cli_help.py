"""Help, version and wrong usage."""

from __future__ import annotations

import re
import sys

import pytest

from tests.acceptance.cli_support import SCRIPT, command, run
from watcher import __version__

COMMANDS = (
    *("run", "demo", "check", "discover", "once", "status", "history", "route", "deliveries", "silence", "test"),
    *("simulate", "backup", "restore", "migrate", "config"),
)
HEAVY = ("sqlalchemy", "slack_sdk", "apscheduler", "rich", "httpx2", "uvicorn", "pydantic", "alembic", "structlog")


@pytest.mark.parametrize("name", COMMANDS)
def test_help_has_an_example_and_the_exit_statuses(name: str) -> None:
    shown = command(name, "--help")
    assert shown.returncode == 0
    assert re.search(rf"Examples?:\n +aitems-watcher {name}\b", shown.stdout)
    assert re.search(r"Exit status:\n +0 ", shown.stdout)
    assert "\x1b" not in shown.stdout


@pytest.mark.smoke
def test_the_installed_script_is_the_same_command() -> None:
    script = run([SCRIPT, "--version"])
    assert (script.returncode, script.stdout) == (0, f"aitems-watcher {__version__}\n")
    assert command("--version").stdout == script.stdout


def test_without_a_command_all_commands_are_listed() -> None:
    listed = command("--help").stdout
    for name in COMMANDS:
        assert re.search(rf"^  {name} +[A-Z].*[^.]\.$", listed, re.MULTILINE), name


def test_help_loads_nothing_heavy() -> None:
    shown = run([sys.executable, "-X", "importtime", "-m", "watcher", "status", "--help"])
    loaded = {line.rpartition("|")[2].strip().partition(".")[0] for line in shown.stderr.splitlines()}
    assert "Exit status:" in shown.stdout
    assert "typer" in loaded
    assert loaded.isdisjoint(HEAVY)


@pytest.mark.parametrize(
    "args", [("status", "--no-such-option"), ("no-such-command",), ("test",), ("demo", "--for", "a while")]
)
def test_wrong_usage_has_its_own_status_and_no_traceback(args: tuple[str, ...]) -> None:
    refused = command(*args)
    assert refused.returncode == 2
    assert "Error: " in refused.stderr
    assert "Traceback" not in refused.stderr
    assert refused.stdout == ""
