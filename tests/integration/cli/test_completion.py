"""The scripts of ``completion``, in a real bash; in zsh and fish where they are installed."""

from __future__ import annotations

import os
import pty
import select
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
import typer.core
from typer.main import get_command

from watcher.cli.app import whole_app
from watcher.cli.command_tree import tree_of
from watcher.cli.text.completion import SCRIPTS
from watcher.core.event import Kind

SECONDS = 20.0
DRIVER = """
. "$1"
while IFS= read -r line; do
    read -ra COMP_WORDS <<< "$line"
    if [[ $line == *" " ]]; then COMP_WORDS+=(""); fi
    COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
    COMPREPLY=()
    _aitems_watcher 2>/dev/null
    echo "${COMPREPLY[*]}"
done
"""


@pytest.fixture(scope="module")
def scripts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the three scripts."""
    folder = tmp_path_factory.mktemp("completion")
    for shell, script in SCRIPTS.items():
        (folder / shell).write_text(script(tree_of(whole_app())))
    return folder


def completed(script: Path, *lines: str, cwd: Path | None = None) -> list[list[str]]:
    """Return the words that bash offers at the end of each line."""
    shell = ["/bin/bash", "--norc", "-c", DRIVER, "bash", str(script)]
    given = "".join(f"{line}\n" for line in lines)
    ended = subprocess.run(shell, check=True, capture_output=True, text=True, input=given, cwd=cwd)  # noqa: S603 - our own
    return [line.split() for line in ended.stdout.splitlines()]


def members_of(context: typer.Context) -> dict[str, Any]:
    """Return the commands of a group by name."""
    return getattr(context.command, "commands", {})


def contexts(context: typer.Context) -> Iterator[typer.Context]:
    """Yield every command, as the argument parser has it."""
    yield context
    for name, command in members_of(context).items():
        yield from contexts(typer.Context(command, info_name=name, parent=context))


COMMANDS = list(contexts(typer.Context(get_command(whole_app()), info_name="aitems-watcher")))


def test_bash_completes_every_command_and_every_option(scripts: Path) -> None:
    lines = [f"{context.command_path.removesuffix(' ')} -" for context in COMMANDS]
    offered = dict(zip(lines, completed(scripts / "bash", *lines), strict=True))
    assert len(COMMANDS) > 20
    for context, line in zip(COMMANDS, lines, strict=True):
        options = [parameter for parameter in context.command.get_params(context) if parameter.opts[0].startswith("-")]
        assert sorted(offered[line]) == sorted(name for option in options for name in option.opts)
    groups = {context.command_path: sorted(below) for context in COMMANDS if (below := members_of(context))}
    members = completed(scripts / "bash", *(f"{path} " for path in groups))
    assert [sorted(words) for words in members] == list(groups.values())


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_the_other_shells_know_every_command_and_every_option(shell: str, scripts: Path) -> None:
    script = (scripts / shell).read_text()
    for context in COMMANDS:
        path = context.command_path.removeprefix("aitems-watcher").strip()
        assert (f'"{path}")' if shell == "zsh" else f"__aitems_watcher_at {path}".strip()) in script
        for parameter in context.command.get_params(context):
            for name in parameter.opts if parameter.opts[0].startswith("--") else ():
                if shell == "zsh":
                    assert f"'{name}:" in script
                else:
                    assert (f" -l {name[2:]} " if name.startswith("--") else f" -s {name[1:]} ") in script


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_script_has_no_error_of_syntax(shell: str, scripts: Path) -> None:
    program = shutil.which(shell)
    if program is None:
        pytest.skip(f"{shell} is not installed: apt-get install {shell}")
    subprocess.run([program, "-n", scripts / shell], check=True)  # noqa: S603 - Debian's


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("aitems-watcher route --kind ", [kind.value for kind in Kind]),
        ("aitems-watcher route -k succ", ["succeeded"]),
        ("aitems-watcher history --kind failed --kind g", ["gone"]),
        ("aitems-watcher route --kind = gon", ["gone"]),
        ("aitems-watcher route --kind =", [kind.value for kind in Kind]),
        ("aitems-watcher completion ", ["bash", "zsh", "fish"]),
        ("aitems-watcher simulate --control any", ["anyone"]),
        ("aitems-watcher status --config conf", ["config.toml"]),
        ("aitems-watcher restore back", ["backup.db"]),
        ("aitems-watcher status --config status --wi", ["--wide"]),
        ("aitems-watcher deliveries list --rec", ["--receiver"]),
        ("aitems-watcher test ", []),
        ("aitems-watcher history --since ", []),
        ("aitems-watcher no-such", []),
    ],
)
def test_bash_completes_values_and_files(line: str, offered: list[str], scripts: Path, tmp_path: Path) -> None:
    for name in ("config.toml", "backup.db", "other"):
        (tmp_path / name).touch()
    assert completed(scripts / "bash", line, cwd=tmp_path) == [offered]


def typed(script: Path, keys: str, wanted: str) -> str:
    """Type into an interactive bash, and return what it shows once that has the wanted text."""
    ours, theirs = pty.openpty()
    environ = {**os.environ, "TERM": "dumb", "INPUTRC": "/dev/null"}
    shell = subprocess.Popen(
        ["/bin/bash", "--norc", "--noprofile", "-i"], stdin=theirs, stdout=theirs, stderr=theirs, env=environ
    )
    os.close(theirs)
    shown = ""
    with shell:
        for sent, until in ((f". {script}; echo load''ed\n", "loaded"), (keys, wanted)):
            os.write(ours, sent.encode())
            while until not in shown and select.select([ours], [], [], SECONDS)[0]:
                shown += os.read(ours, 4096).decode()
        shell.kill()
    os.close(ours)
    return shown


@pytest.mark.parametrize(
    ("keys", "wanted"),
    [
        ("aitems-watcher disc\t", "aitems-watcher discover "),
        ("aitems-watcher deliveries sh\t", "aitems-watcher deliveries show "),
        ("aitems-watcher check --onl\t", "aitems-watcher check --online "),
        ("aitems-watcher route --kind=unk\t", "aitems-watcher route --kind=unknown-status "),
    ],
)
def test_tab_completes_in_an_interactive_bash(keys: str, wanted: str, scripts: Path) -> None:
    assert wanted in typed(scripts / "bash", keys, wanted)
