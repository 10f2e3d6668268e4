"""A container of Debian with a real systemd, booted once for all tests of this folder."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from tests.acceptance.cli_support import LOG, SECONDS, Simulated, eventually, simulated
from watcher.simulator import SIMULATOR_ACCESS_KEY, SIMULATOR_SECRET_KEY

UNIT: Final = "aitems-watcher"
BOOT_SECONDS: Final = 240.0
PATHS: Final = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
ACCOUNT: Final = """
[account.main]
base_url = "{base_url}"
access_key = {{ credential = "ncp-access-key" }}
secret_key = {{ credential = "ncp-secret-key" }}
requests_per_second = 100.0

[[watch]]
service = "{service}"
interval = "200ms"
idle_interval = "200ms"
"""
DROP_IN: Final = """
[Service]
LoadCredential=ncp-access-key:/etc/aitems-watcher/ncp-access-key
LoadCredential=ncp-secret-key:/etc/aitems-watcher/ncp-secret-key
"""
HANG: Final = """import signal, time


def hang(*_):
    time.sleep(1000)


signal.signal(signal.SIGUSR1, hang)
"""
"""A module that makes the loop hang at a signal; it is installed beside the package."""
HANGING_LINE: Final = 5


@dataclass(frozen=True, slots=True)
class Machine:
    """The booted container, and the simulated AiTEMS."""

    root: Path
    leader: int
    simulator: Simulated
    service: str

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command in the container and wait for its end."""
        inside = ["nsenter", "--target", str(self.leader), "--all", "env", "-i", PATHS, *command]
        return subprocess.run(inside, check=False, capture_output=True, text=True, timeout=3 * SECONDS)  # noqa: S603

    def systemctl(self, verb: str, *more: str) -> subprocess.CompletedProcess[str]:
        """Run a systemctl command for the unit."""
        return self.run("systemctl", verb, UNIT, *more)

    def shown(self, name: str) -> str:
        """Return one property of the unit."""
        return self.systemctl("show", "--value", f"--property={name}").stdout.strip()

    def journal(self) -> str:
        """Return the log lines of the unit, and of systemd about it, since the boot."""
        return self.run("journalctl", "--unit", UNIT, "--output=cat", "--no-pager").stdout

    def write(self, *more: str) -> None:
        """Write the configuration: an account, a watch and a console, and ``more``."""
        text = ACCOUNT.format(base_url=self.simulator.base_url, service=self.service) + LOG + "".join(more)
        (self.root / "etc/aitems-watcher/config.toml").write_text(text)

    def can_hang(self) -> None:
        """Make the next process of the daemon hang at SIGUSR1."""
        (packages,) = self.root.glob("opt/aitems-watcher/lib/python3*/site-packages")
        (packages / "hang_at_a_signal.py").write_text(HANG)
        (packages / "hang_at_a_signal.pth").write_text("import hang_at_a_signal\n")

    def drop_in(self, *lines: str) -> None:
        """Write a drop-in, as an operator does with ``systemctl edit``."""
        folder = self.root / f"etc/systemd/system/{UNIT}.service.d"
        folder.mkdir(exist_ok=True)
        (folder / "override.conf").write_text(DROP_IN + "\n".join(lines) + "\n")
        self.run("systemctl", "daemon-reload")


def _root() -> Path:
    given = os.environ.get("SYSTEMD_ROOT")
    if given is None:
        pytest.skip("only `make test-systemd` starts a real systemd")
    if os.geteuid() != 0 or shutil.which("systemd-nspawn") is None:
        pytest.skip("needs root and systemd-nspawn")
    return Path(given)


@pytest.fixture(scope="session")
def machine() -> Iterator[Machine]:
    root = _root()
    for name, secret in (("ncp-access-key", SIMULATOR_ACCESS_KEY), ("ncp-secret-key", SIMULATOR_SECRET_KEY)):
        path = root / "etc/aitems-watcher" / name
        path.write_text(secret)
        path.chmod(0o600)
    command = ["systemd-nspawn", f"--directory={root}", "--boot", "--register=no", "--keep-unit", "--console=pipe"]
    with simulated() as simulator, subprocess.Popen(command, stdout=subprocess.DEVNULL) as nspawn:  # noqa: S603
        try:
            booted = Machine(root, _leader(nspawn.pid), simulator, uuid.uuid4().hex[:11])
            booted.simulator.set_training(booted.service, "v1", "learning")
            _wait_for_boot(booted)
            yield booted
        finally:
            # SIGTERM asks systemd-nspawn for an orderly power-off.
            nspawn.send_signal(signal.SIGTERM)
            try:
                nspawn.wait(timeout=SECONDS)
            except subprocess.TimeoutExpired:
                nspawn.kill()


def _wait_for_boot(machine: Machine) -> None:
    """Wait until every unit of the boot has started; on a loaded machine that takes minutes."""
    end = time.monotonic() + BOOT_SECONDS
    while (state := machine.run("systemctl", "is-system-running").stdout.strip()) not in {"running", "degraded"}:
        assert time.monotonic() < end, (
            f"the container is still {state!r}: {machine.run('systemctl', 'list-jobs').stdout}"
        )
        time.sleep(0.5)


def _leader(nspawn: int) -> int:
    children = Path(f"/proc/{nspawn}/task/{nspawn}/children")
    eventually(lambda: bool(children.read_text().split()))
    return int(children.read_text().split()[0])
