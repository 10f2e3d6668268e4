"""The arguments choose the commands that are loaded."""

from __future__ import annotations

import re

import pytest
import typer

from watcher.cli.app import COMMANDS, app_for, whole_app


def names(app: typer.Typer) -> list[str]:
    commands = [str(info.name) for info in app.registered_commands]
    return [*commands, *(str(info.name) for info in app.registered_groups)]


@pytest.mark.parametrize("name", COMMANDS)
def test_a_named_command_is_loaded_alone(name: str) -> None:
    assert names(app_for([name])) == [name]
    assert names(app_for([name, "--help"])) == [name]


@pytest.mark.parametrize("arguments", [(), ("--help",), ("-h",), ("no-such-command",), ("--no-such-option", "run")])
def test_a_help_and_an_error_know_every_command(arguments: tuple[str, ...]) -> None:
    assert sorted(names(app_for(arguments))) == sorted(COMMANDS)
    assert len(names(whole_app())) == len(COMMANDS)


@pytest.mark.parametrize("option", ["--version", "-V"])
def test_the_version_needs_no_command(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    app = app_for([option])
    assert names(app) == []
    with pytest.raises(SystemExit) as ended:
        app([option], prog_name="aitems-watcher")
    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith("aitems-watcher ")


@pytest.mark.parametrize("name", COMMANDS)
def test_help_has_an_example_and_the_exit_statuses(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = [name, "--help"]
    with pytest.raises(SystemExit) as ended:
        app_for(arguments)(arguments, prog_name="aitems-watcher")
    shown = capsys.readouterr().out
    assert ended.value.code == 0
    assert re.search(rf"Examples?:\n +(eval \"\$\()?aitems-watcher {name}\b", shown)
    assert re.search(r"Exit status:\n +0 ", shown)
    assert "\x1b" not in shown
