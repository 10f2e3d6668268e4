"""Runs the installed command as a process, beside a simulated AiTEMS."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final
from urllib.request import Request, urlopen

from tests.support.accounts import account_table
from watcher.simulator import SIMULATOR_ACCESS_KEY, SIMULATOR_SECRET_KEY

COMMAND: Final = (sys.executable, "-m", "watcher")
SCRIPT: Final = Path(sys.executable).parent / "aitems-watcher"
SECONDS: Final = 60.0
"""A limit for tests that would never end."""
KEYS: Final = {"NCP_ACCESS_KEY": SIMULATOR_ACCESS_KEY, "NCP_SECRET_KEY": SIMULATOR_SECRET_KEY}
OUR_VARIABLES: Final = ("AITEMS_WATCHER_CONFIG", "STATE_DIRECTORY", "NO_COLOR", "FORCE_COLOR", *KEYS)

OTHER_TABLES: Final = """
[state]
url = "sqlite:///watcher.db"

[delivery]
first_retry = "200ms"
"""
NO_WEB: Final = """
[web]
listen = ""
"""
WATCH: Final = """
[[watch]]
service = "{service}"
name = "shop-main"
interval = "200ms"
idle_interval = "200ms"
"""
LOG: Final = """
[receiver.console]
kind = "log"
"""
EVERY_KIND: Final = """
[[route]]
match = { kind = "*" }
to = ["console"]
"""


def environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return this process's environment without our own variables, plus ``more``."""
    around = {name: value for name, value in os.environ.items() if name not in OUR_VARIABLES}
    return {**around, "COLUMNS": "200", **(more or {})}


def run(
    args: Sequence[str | Path], cwd: Path | None = None, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run one of our programs to its end."""
    return subprocess.run(  # noqa: S603 - our own
        args, check=False, capture_output=True, text=True, cwd=cwd, env=environment(env), timeout=SECONDS
    )


def command(
    *args: str | Path, cwd: Path | None = None, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run the command to its end."""
    return run([*COMMAND, *args], cwd, env)


@contextmanager
def started(*args: str | Path, env: Mapping[str, str] | None = None) -> Iterator[subprocess.Popen[str]]:
    """Start the command; kill it at the end of the block if it still runs."""
    with subprocess.Popen(  # noqa: S603 - our own command
        [*COMMAND, *map(str, args)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(env),
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def read_until(process: subprocess.Popen[str], word: str) -> list[str]:
    """Return the lines of standard output up to the first with ``word``."""
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line)
        if word in line:
            return lines
    rest = process.stderr.read() if process.stderr else ""
    raise AssertionError(f"no line with {word!r} in {lines}; {rest}")


def stopped(process: subprocess.Popen[str], number: signal.Signals) -> tuple[int, str]:
    """Send a signal; return the exit status and the rest of standard output."""
    process.send_signal(number)
    rest, _ = process.communicate(timeout=SECONDS)
    return process.returncode, rest


def on_terminal(*args: str | Path, env: Mapping[str, str] | None = None) -> bytes:
    """Run the command on a terminal and return its output."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(  # noqa: S603 - our own command
        [*COMMAND, *map(str, args)],
        stdout=theirs,
        stderr=subprocess.DEVNULL,
        env=environment({"TERM": "xterm-256color", **(env or {})}),
    ) as process:
        os.close(theirs)
        written = bytearray()
        while chunk := _read_terminal(ours):
            written += chunk
        process.wait(timeout=SECONDS)
    os.close(ours)
    return bytes(written)


def _read_terminal(descriptor: int) -> bytes:
    ready, _, _ = select.select([descriptor], [], [], SECONDS)
    try:
        return os.read(descriptor, 65536) if ready else b""
    except OSError:
        # Linux raises this after the other side has closed.
        return b""


def eventually(condition: Callable[[], bool]) -> None:
    """Wait until the condition holds."""
    end = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < end, "the condition never held"
        time.sleep(0.05)


@contextmanager
def collecting() -> Iterator[tuple[str, list[Any]]]:
    """Serve an imitation of Slack; yield its URL and the list of its posts."""
    posted: list[Any] = []

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            posted.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(HTTPStatus.OK)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"ok")

        def log_message(self, *_args: object) -> None:
            """Write no log."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Collector) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/hook", posted
        finally:
            server.shutdown()
            thread.join()


@dataclass(frozen=True, slots=True)
class Simulated:
    """A simulated AiTEMS in a process of its own, changed through its control endpoint."""

    base_url: str
    control_url: str

    def set_training(self, service: str, version: str, status: str) -> None:
        """Set a training's status; create the service and the training if necessary."""
        self.control("PUT", f"/services/{service}/trains/pop/versions/{version}", {"status": status})

    def wait_for_polls(self, count: int) -> None:
        """Wait for this number of further requests."""
        self.control("DELETE", "/requests")
        eventually(lambda: self.control("GET", "/requests")["total"] >= count)

    def control(self, method: str, path: str, body: object = None) -> Any:
        """Make a call of the control endpoint."""
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"}
        with urlopen(Request(self.control_url + path, data, headers, method=method)) as answer:  # noqa: S310 - our own
            return json.load(answer)


@contextmanager
def simulated() -> Iterator[Simulated]:
    """Run a simulator without services during the block."""
    with started("simulate", "--port", "0", "--services", "0") as process:
        text = "".join(read_until(process, "aitems-watcher run"))
        found = re.search(r"^base URL +(\S+)[\s\S]*^control +(\S+)", text, re.MULTILINE)
        assert found is not None, text
        yield Simulated(found[1], found[2])


@dataclass(frozen=True, slots=True)
class Workplace:
    """A folder with a configuration that watches one service of the simulator."""

    folder: Path
    service: str
    simulator: Simulated

    @property
    def config(self) -> Path:
        """The configuration's file."""
        return self.folder / "config.toml"

    def write(self, *more: str, watch: bool = True, log: bool = True, web: bool = False) -> None:
        """Write the configuration: the account, a watch, a console and ``more``."""
        parts = [account_table(self.simulator.base_url, "requests_per_second = 100.0"), OTHER_TABLES]
        parts += [] if web else [NO_WEB]
        parts += [WATCH.format(service=self.service)] if watch else []
        parts += [LOG] if log else []
        self.config.write_text("".join([*parts, *more]))

    def set_training(self, version: str, status: str) -> None:
        """Set the status of a training of the watched service."""
        self.simulator.set_training(self.service, version, status)

    def command(
        self, name: str, *args: str | Path, env: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a command with this configuration."""
        return command(name, "--config", self.config, *args, env=env)

    def deliveries(self, name: str, *args: str) -> subprocess.CompletedProcess[str]:
        """Run a command of the group ``deliveries``."""
        return command("deliveries", name, *args, "--config", self.config)

    def silence(self, name: str, *args: str) -> subprocess.CompletedProcess[str]:
        """Run a command of the group ``silence``."""
        return command("silence", name, *args, "--config", self.config)

    def json(self, name: str, *args: str) -> Any:
        """Run a command with ``--json`` and return the document."""
        return json.loads(self.command(name, "--json", *args).stdout)
