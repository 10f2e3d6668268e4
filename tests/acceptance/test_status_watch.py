"""``status --watch`` on a real terminal: the parts of the page, in place, whatever the size, until Ctrl-C."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.acceptance.cli_support import COMMAND, KEYS, SECONDS, Workplace, environment, read_until, started
from tests.support.terminal import OnTerminal, on_terminal
from watcher.cli.exit_status import ExitStatus

PARTS = ("open problem", "Open problems", "In progress", "Services", "Watcher", "Receivers", "Silences", "Recent ends")
COLOUR = re.compile(r"\x1b\[[0-9;]*m")


@contextmanager
def watching(workplace: Workplace, *options: str, **variables: str) -> Iterator[OnTerminal]:
    # A shell that exports COLUMNS would keep the size of its start.
    env = environment({"TERM": "xterm-256color", **variables})
    command = [*COMMAND, "status", "--watch", "--config", str(workplace.config), *options]
    with on_terminal(command, env) as terminal:
        yield terminal


def test_the_parts_of_the_page_follow_changes_a_new_size_and_the_end_of_the_daemon(workplace: Workplace) -> None:
    workplace.set_training("v2", "completed")
    with started("run", "--config", workplace.config, env=KEYS) as daemon:
        read_until(daemon, "watcher.ready")
        workplace.set_training("v3", "learning")
        with watching(workplace) as terminal:
            assert "Everything is fine" in terminal.until("shop-main", "learning", "No silence is active.")
            workplace.set_training("v3", "learningFailed")
            shown = terminal.until("1 open problem", "learningFailed", "Notified console")
            assert shown.index("Open problems") < shown.index("Services") < shown.index("Watcher ready")
            workplace.set_training("v4", "learning")
            terminal.until(*PARTS)
            terminal.resize(40, 12)
            shown = terminal.until("more lines: enlarge the terminal")
            assert shown.startswith("1 open problem\n")
            terminal.resize(120, 60)
            terminal.until(*PARTS, absent=["enlarge"])
            daemon.send_signal(signal.SIGTERM)
            daemon.wait(timeout=SECONDS)
            terminal.until("no daemon runs on this store", "Watcher has a problem")
            terminal.press(b"\x03")
            assert terminal.end() == 0
            assert "Traceback" not in terminal.written


@pytest.mark.parametrize("options", [(), ("shop-main",)])
def test_a_terminal_without_colour_gets_none_and_is_never_cleared(
    workplace: Workplace, options: tuple[str, ...]
) -> None:
    with started("run", "--config", workplace.config, env=KEYS) as daemon:
        read_until(daemon, "watcher.ready")
    for variables, coloured in ({"NO_COLOR": "1"}, False), ({}, True):
        with watching(workplace, *options, **variables) as terminal:
            terminal.until("no daemon runs on this store")
            terminal.press(b"\x03")
            assert terminal.end() == 0
            assert bool(COLOUR.search(terminal.written)) is coloured
            assert "\x1b[2J" not in terminal.written


def test_a_store_that_does_not_exist_ends_the_command_as_without_watch(workplace: Workplace) -> None:
    with watching(workplace) as terminal:
        terminal.until("there is no store")
        assert terminal.end() == ExitStatus.STORE
        assert "\x1b" not in terminal.written
