"""The processes of the benchmark: its server, and the watcher that is measured."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

from bench.process import Usage, usage

START_SECONDS: Final = 120.0
STOP_SECONDS: Final = 60.0
KEYS: Final = {"NCP_ACCESS_KEY": "bench-access", "NCP_SECRET_KEY": "bench-secret"}


@dataclass(frozen=True, slots=True)
class Server:
    """The benchmark's server, see ``bench.server``."""

    port: int
    pid: int

    @property
    def url(self) -> str:
        """Its address, without a path."""
        return f"http://127.0.0.1:{self.port}"

    def control(self, command: str, **given: float) -> Any:  # noqa: ANN401 - each command has an answer of its own
        """Send a control command and return its answer."""
        request = urllib.request.Request(f"{self.url}/bench/{command}", data=json.dumps(given).encode())  # noqa: S310
        with urllib.request.urlopen(request, timeout=START_SECONDS) as answer:  # noqa: S310 - loopback
            return json.load(answer)


@dataclass(frozen=True, slots=True)
class Daemon:
    """A running watcher."""

    process: subprocess.Popen[bytes]
    web_port: int
    ready_after_seconds: float
    """From the start of the process to the first answer of ``/readyz``."""

    def usage(self) -> Usage:
        """Measure its process."""
        return usage(self.process.pid)

    def metric(self, name: str) -> float:
        """Return the sum of a metric over its labels; 0 where it has no sample."""
        text = _get(f"http://127.0.0.1:{self.web_port}/metrics").decode()
        samples = (line for line in text.splitlines() if line.split("{")[0].split(" ")[0] == name)
        return sum(float(line.rpartition(" ")[2]) for line in samples)

    def wait_for_baseline(self) -> None:
        """Wait until every target was polled once, as ``/readyz`` says.

        Raises:
            RuntimeError: It takes longer than two minutes.
        """
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end:
            with suppress(OSError):
                _get(f"http://127.0.0.1:{self.web_port}/readyz")
                return
            time.sleep(0.1)
        raise RuntimeError("the daemon was not ready in time")

    def metrics(self) -> str:
        """Return the page of metrics."""
        return _get(f"http://127.0.0.1:{self.web_port}/metrics").decode()


@contextmanager
def server(services: int = 1, trainings: int = 1000) -> Iterator[Server]:
    """Run the benchmark's server."""
    command = [sys.executable, "-m", "bench.server", "--services", str(services), "--trainings", str(trainings)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:  # noqa: S603
        assert process.stdin is not None and process.stdout is not None  # noqa: S101, PT018 - pipes were asked for
        try:
            yield Server(int(process.stdout.readline()), process.pid)
        finally:
            process.stdin.close()


@contextmanager
def daemon(folder: Path, config: str) -> Iterator[Daemon]:
    """Run the watcher in ``folder``; its log is ``daemon.log`` there."""
    (folder / "config.toml").write_text(config)
    before = time.monotonic()
    command = [sys.executable, "-m", "watcher", "run", "--config", str(folder / "config.toml")]
    environment = {**os.environ, **KEYS, "PYTHONPATH": os.getcwd()}  # noqa: PTH109
    with (
        (folder / "daemon.log").open("wb") as log,
        subprocess.Popen(command, stdout=log, stderr=log, env=environment) as process,  # noqa: S603 - our own program
    ):
        try:
            port = web_port(config)
            _wait_until_ready(process, port, folder)
            yield Daemon(process, port, time.monotonic() - before)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(STOP_SECONDS)


def configuration(
    server: Server, folder: Path, watches: Sequence[str], *, rate: float = 1000.0, receivers: str | None = None
) -> str:
    """Return a configuration against the benchmark's server; ``watches`` are the bodies of its watches."""
    hook = f'[receiver.hook]\nkind = "webhook"\nurl = "{server.url}/hook"\n'
    body = "\n".join(f"[[watch]]\n{watch}\n" for watch in watches)
    return f"""
[state]
url = "sqlite:///{folder / "watcher.db"}"
[web]
listen = "127.0.0.1:{free_port()}"
[account.main]
access_key = {{ env = "NCP_ACCESS_KEY" }}
secret_key = {{ env = "NCP_SECRET_KEY" }}
base_url = "{server.url}/api/v1"
requests_per_second = {rate}
max_concurrency = 32
{body}
{hook if receivers is None else receivers}
[[route]]
match = {{ kind = "*" }}
to = ["{"hook" if receivers is None else "console"}"]
"""


def web_port(config: str) -> int:
    """Return the port of the web listener of a configuration."""
    return int(config.split('listen = "127.0.0.1:')[1].split('"', maxsplit=1)[0])


def _wait_until_ready(process: subprocess.Popen[bytes], port: int, folder: Path) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        if process.poll() is not None:
            raise RuntimeError((folder / "daemon.log").read_text()[-2000:])
        try:
            _get(f"http://127.0.0.1:{port}/healthz")
        except OSError:
            time.sleep(0.01)
        else:
            return
    raise RuntimeError("the daemon did not start")


def _get(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=START_SECONDS) as answer:  # noqa: S310 - loopback
        return cast("bytes", answer.read())


def free_port() -> int:
    """Return a port of loopback that is free now."""
    import socket  # noqa: PLC0415

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
