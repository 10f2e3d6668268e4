"""``completion``: a script that completes commands and options in a shell."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Annotated, Final, Literal

import typer

from watcher.cli.exit_status import ExitStatus, help_end

END: Final = help_end(
    'eval "$(aitems-watcher completion bash)"   # in ~/.bashrc',
    "aitems-watcher completion bash > /etc/bash_completion.d/aitems-watcher",
    'aitems-watcher completion zsh > "${fpath[1]}/_aitems-watcher"',
    "aitems-watcher completion fish > ~/.config/fish/completions/aitems-watcher.fish",
    statuses={ExitStatus.OK: ""},
)

ShellArgument = Annotated[Literal["bash", "zsh", "fish"], typer.Argument(metavar="SHELL", help="bash, zsh or fish.")]


def completion_of(whole_app: Callable[[], typer.Typer]) -> Callable[[ShellArgument], None]:
    """Return the command; ``whole_app`` returns the program with all its commands."""

    def completion(shell: ShellArgument) -> None:
        """Print a script that completes commands and options in a shell.

        The script holds every command and option of this version: make it again after an upgrade. It starts no process
        while you type.
        """
        from watcher.cli.command_tree import tree_of
        from watcher.cli.text.completion import SCRIPTS

        sys.stdout.write(SCRIPTS[shell](tree_of(whole_app())))

    return completion
