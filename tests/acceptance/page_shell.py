"""Follows the steps of a page of the documentation: writes its files and runs its commands."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.acceptance.cli_support import SCRIPT, SECONDS, environment

BLOCK: Final = re.compile(r"([^\n]*(?:\n[^\n]+)?)\n\n```(\w+)\n(.*?)```", re.DOTALL)
FILE: Final = re.compile(r"[Ss]ave\s+this\s+as\s+`([^`]+)`:")
EXPORT: Final = re.compile(r"export (\w+)=(.*)")
READY: Final = {
    "aitems-watcher demo": "New training",
    "aitems-watcher simulate": "aitems-watcher run",
    "aitems-watcher run": "watcher.ready",
    "python3 receiver.py": "",
}
"""Commands that keep running, each with a text that it prints once it serves."""


@dataclass(frozen=True, slots=True)
class Block:
    """A block of code on the page."""

    kind: str
    text: str
    file: str | None

    def commands(self) -> list[str]:
        """Return the block's lines as commands."""
        return self.text.replace("\\\n", "").splitlines()


@dataclass(slots=True)
class Shell:
    """Runs the blocks of one step in a folder, as a reader would in several terminals."""

    page: str
    folder: Path
    stack: ExitStack
    changes: Mapping[str, str] = field(default_factory=dict)
    """Texts of the page with their replacements on this machine, e.g. a port."""
    variables: dict[str, str] = field(default_factory=dict)
    output: Path = field(init=False)

    def __post_init__(self) -> None:
        self.output = self.folder / "terminals.txt"
        self.output.touch()
        (self.folder / "bin").mkdir()
        (self.folder / "bin" / "aitems-watcher").symlink_to(SCRIPT)
        (self.folder / "bin" / "python3").symlink_to(sys.executable)

    def follow(self, step: str) -> None:
        """Run each block of a step."""
        for block in blocks(self.page, step):
            if block.file is not None:
                (self.folder / block.file).write_text(self.changed(block.text))
            elif block.kind == "text":
                self.expect(block.text)
            else:
                assert block.kind == "sh", block
                for command in block.commands():
                    self.type(self.changed(command))

    def changed(self, text: str) -> str:
        """Return a text of the page with the replacements of this machine."""
        for old, new in self.changes.items():
            text = text.replace(old, new)
        return text

    def type(self, command: str) -> None:
        """Run one command: to its end, or until it serves."""
        if export := EXPORT.fullmatch(command):
            self.variables.setdefault(export[1], export[2])
            return
        awaited = next((READY[start] for start in READY if command.startswith(start)), None)
        if "--history" in command and "--serve" not in command:
            awaited = None
        if awaited is None:
            self._run(command)
        else:
            self._start(command, awaited)

    def expect(self, text: str) -> None:
        """Wait until each line is in the output; ``…`` stands for any text."""
        for line in text.splitlines():
            pattern = re.compile(r".*".join(re.escape(part.strip()) for part in line.split("…")))
            self._wait_for(pattern.search, line)

    def _run(self, command: str) -> None:
        with self.output.open("a") as output:
            ended = subprocess.run(  # noqa: S602 - the page's own command
                command,
                check=False,
                shell=True,
                cwd=self.folder,
                env=self._environment(),
                stdout=output,
                stderr=output,
                timeout=SECONDS,
            )
        # No daemon runs where a page reads a store alone, which is a problem of that store.
        allowed = {0, 1} if command.startswith("aitems-watcher status") else {0}
        assert ended.returncode in allowed, f"{command}\n{self.output.read_text()}"

    def _start(self, command: str, awaited: str) -> None:
        seen = len(self.output.read_text())
        with self.output.open("a") as output:
            process = subprocess.Popen(  # noqa: S602 - the page's own command
                f"exec {command}", shell=True, cwd=self.folder, env=self._environment(), stdout=output, stderr=output
            )
        self.stack.callback(_end, process)
        self._wait_for(lambda shown: awaited in shown[seen:], command)

    def _environment(self) -> dict[str, str]:
        path = f"{self.folder / 'bin'}{os.pathsep}{os.environ['PATH']}"
        return environment({**self.variables, "PATH": path, "PYTHONUNBUFFERED": "1"})

    def _wait_for(self, condition: Callable[[str], object], awaited: str) -> None:
        end = time.monotonic() + SECONDS
        while not condition(shown := self.output.read_text()):
            assert time.monotonic() < end, f"not in time: {awaited}\n{shown}"
            time.sleep(0.05)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGINT)
    try:
        process.wait(timeout=SECONDS)
    finally:
        process.kill()


def blocks(page: str, step: str) -> Iterator[Block]:
    """Yield the blocks of the section of a page that begins with ``step``."""
    section = page.partition(f"\n## {step}")[2].partition("\n## ")[0]
    assert section, step
    for before, kind, text in BLOCK.findall(section):
        named = FILE.search(before)
        yield Block(kind, text, named[1] if named else None)


def free_ports(count: int) -> list[int]:
    """Return free ports."""
    with ExitStack() as stack:
        servers = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [server.getsockname()[1] for server in servers]


@contextmanager
def shell(page: str, folder: Path, changes: Mapping[str, str] | None = None, **variables: str) -> Iterator[Shell]:
    """Yield a shell whose processes end with the block."""
    with ExitStack() as stack:
        yield Shell(page, folder, stack, changes or {}, dict(variables))
