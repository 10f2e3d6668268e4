"""Help, version and wrong usage."""

from __future__ import annotations

import re

import pytest

from tests.acceptance.cli_support import SCRIPT, command, run
from watcher import __version__
from watcher.cli.app import COMMANDS


@pytest.mark.smoke
def test_the_installed_script_is_the_same_command() -> None:
    script = run([SCRIPT, "--version"])
    assert (script.returncode, script.stdout) == (0, f"aitems-watcher {__version__}\n")
    assert command("--version").stdout == script.stdout


def test_without_a_command_all_commands_are_listed() -> None:
    listed = command("--help").stdout
    for name in COMMANDS:
        assert re.search(rf"^  {name} +[A-Z].*[^.]\.$", listed, re.MULTILINE), name


@pytest.mark.parametrize(
    "args", [("status", "--no-such-option"), ("no-such-command",), ("test",), ("demo", "--for", "a while")]
)
def test_wrong_usage_has_its_own_status_and_no_traceback(args: tuple[str, ...]) -> None:
    refused = command(*args)
    assert refused.returncode == 2
    assert "Error: " in refused.stderr
    assert "Traceback" not in refused.stderr
    assert refused.stdout == ""
