"""Follows each step of ``docs/tutorial.md``: writes its files and runs its commands."""

from __future__ import annotations

import os
import re
import shutil
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

import pytest

from tests.acceptance.cli_support import KEYS, SCRIPT, SECONDS, Simulated, collecting, environment, simulated
from tests.support.paths import ROOT

PAGE: Final = (ROOT / "docs" / "tutorial.md").read_text()
BLOCK: Final = re.compile(r"([^\n]*(?:\n[^\n]+)?)\n\n```(\w+)\n(.*?)```", re.DOTALL)
FILE: Final = re.compile(r"Save\s+this\s+as\s+`([^`]+)`:")
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
        for block in blocks(step):
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
        assert ended.returncode == 0, f"{command}\n{self.output.read_text()}"

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


def blocks(step: str) -> Iterator[Block]:
    """Yield the blocks of the section that begins with ``step``."""
    section = PAGE.partition(f"\n## {step}")[2].partition("\n## ")[0]
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
def shell(folder: Path, changes: Mapping[str, str] | None = None, **variables: str) -> Iterator[Shell]:
    """Yield a shell whose processes end with the block."""
    with ExitStack() as stack:
        yield Shell(folder, stack, changes or {}, dict(variables))


@pytest.fixture
def own_simulator() -> Iterator[Simulated]:
    """Yield a simulator for one test: ``discover`` takes a second for each service of the others."""
    with simulated() as running:
        yield running


def test_step_1_the_demo(tmp_path: Path) -> None:
    with shell(tmp_path) as terminals:
        terminals.follow("1. ")


def test_step_2_the_simulator_and_a_receiver(tmp_path: Path) -> None:
    api, hook = free_ports(2)
    changes = {"127.0.0.1:8080": f"127.0.0.1:{api}", "--port 8080": f"--port {api}", "9000": str(hook)}
    with shell(tmp_path, changes) as terminals:
        terminals.follow("2. ")


def test_step_3_an_account(tmp_path: Path, own_simulator: Simulated) -> None:
    own_simulator.set_training("6wxgu1abcde", "maqll0abcde", "learning")
    changes = {"[account.main]": f'[account.main]\nbase_url = "{own_simulator.base_url}"'}
    with collecting() as (url, posted), shell(tmp_path, changes, **KEYS, SLACK_WEBHOOK_URL=url) as terminals:
        terminals.variables["STATE_DIRECTORY"] = str(tmp_path)
        terminals.follow("3. ")
    assert '[[watch]]\naccount = "main"\nservice = "6wxgu1abcde"' in terminals.output.read_text()
    assert len(posted) == 1, "the test alert"


def test_step_4_a_server(tmp_path: Path) -> None:
    """Run the commands below a folder in place of the root; systemd and pip have their own tests."""
    shutil.copytree(ROOT / "systemd", tmp_path / "systemd")
    root = tmp_path / "root"
    (root / "usr/local/bin").mkdir(parents=True)
    for secret in ("ncp-access-key", "ncp-secret-key", "slack-webhook-url"):
        (tmp_path / secret).write_text("x\n")
    with shell(tmp_path) as terminals:
        for block in blocks("4. "):
            if block.file is not None:
                (tmp_path / block.file).write_text(block.text)
                continue
            for command in block.commands():
                if command.startswith(("install ", "rm config.toml", "aitems-watcher check ")):
                    terminals.type(re.sub(r"(?<= )/", f"{root}/", command))
                else:
                    assert re.match(r"systemctl |scripts/install-server$|aitems-watcher status$", command)
    folder = root / "etc/systemd/system"
    unit = (folder / "aitems-watcher.service").read_text()
    started = re.search(r"^ExecStart=(\S+) run --config (\S+)$", unit, re.MULTILINE)
    assert started is not None
    assert f"LINK:-{started[1]}}}" in (ROOT / "scripts" / "install-server").read_text()
    loaded = re.findall(
        r"^LoadCredential=(\S+):/(\S+)$",
        (folder / "aitems-watcher.service.d/credentials.conf").read_text(),
        re.MULTILINE,
    )
    named = re.findall(r'credential = "(.+)"', (root / started[2][1:]).read_text())
    assert [name for name, _ in loaded] == named
    assert all((root / path).stat().st_mode & 0o777 == 0o600 for _, path in loaded)


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
def test_step_4_systemd_accepts_the_unit_with_its_credentials(tmp_path: Path) -> None:
    drop_in = next(block for block in blocks("4. ") if block.file == "credentials.conf")
    folder = tmp_path / "aitems-watcher.service.d"
    folder.mkdir()
    (folder / "credentials.conf").write_text(drop_in.text)
    unit = tmp_path / "aitems-watcher.service"
    text = (ROOT / "systemd" / "aitems-watcher.service").read_text()
    unit.write_text(text.replace("/usr/local/bin/aitems-watcher", str(SCRIPT)))
    verified = subprocess.run(  # noqa: S603 - our own
        [shutil.which("systemd-analyze") or "", "verify", unit], check=False, capture_output=True, text=True
    )
    assert (verified.returncode, verified.stdout + verified.stderr) == (0, "")


def test_the_installation_needs_only_the_makefile() -> None:
    commands = re.findall(r"^make (\w+)$", PAGE.partition("\n## ")[0], re.MULTILINE)
    assert commands == ["setup"]
    makefile = ROOT / "Makefile"
    if not makefile.exists():
        pytest.skip("without the source")
    assert f"\n{commands[0]}:" in makefile.read_text()
