"""Huge or endless responses do not fill the memory of the real command, which runs in its own process."""

from __future__ import annotations

import itertools
import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Final
from urllib.request import Request, urlopen

import pytest

from tests.acceptance.cli_support import eventually
from tests.acceptance.test_stop import slow_receiver
from tests.support import daemon_in_process
from tests.support.fault_table import note_growth
from tests.support.invariants import violations

SERVICE: Final = "6wxgu1abcde"
LIMIT_BYTES: Final = 20_000_000
POLLS_TO_WARM_UP: Final = 25
STRIKES: Final = 6
KINDS: Final = (
    *("huge", "endless", "gzip-bomb", "deep", "huge-headers", "garbage"),
    *("nan", "duplicate-keys", "wrong-types", "html-200", "envelope-200"),
)
SECRETS: Final = {name: daemon_in_process.ENVIRON[name] for name in ("NCP_ACCESS_KEY", "NCP_SECRET_KEY")}
TO_HOOK: Final = (
    '\n[receiver.hook]\nkind = "webhook"\nurl = "{url}"\n\n[[route]]\nmatch = {{ kind = "*" }}\nto = ["hook"]\n'
)
NO_INCIDENT: Final = '\n[incident]\nafter_failures = 1000\nafter = "1h"\n'


@contextmanager
def started(*args: str, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run the command during the block; its output goes to a file, so it never waits for a reader."""
    command = [sys.executable, "-m", "watcher", *args]
    with log.open("wb") as output, subprocess.Popen(command, stdout=output, stderr=output, env=SECRETS) as process:  # noqa: S603 - a fixed command
        try:
            yield process
        finally:
            process.kill()


class Control:
    """The simulator's control endpoint."""

    def __init__(self, base_url: str) -> None:
        self._url = base_url.replace("/api/v1", "/_control")

    def _call(self, method: str, path: str, body: object = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = Request(self._url + path, data, {"Content-Type": "application/json"}, method=method)  # noqa: S310 - a local URL
        with urlopen(request, timeout=20) as answer:  # noqa: S310 - a local URL
            return json.load(answer)

    def show(self, status: str) -> None:
        self._call("PUT", f"/services/{SERVICE}/trains/pop/versions/v1", {"status": status})

    def strike(self, kind: str) -> None:
        self._call("POST", "/faults", {"kind": kind})

    def struck(self) -> int:
        return sum(fault["struck"] for fault in self._call("GET", "/faults")["faults"])

    def clear(self) -> None:
        self._call("DELETE", "/faults")

    def requests(self) -> int:
        return int(self._call("GET", "/requests")["total"])


def peak_bytes(process: subprocess.Popen[bytes]) -> int:
    """Return the peak memory of a process."""
    text = Path(f"/proc/{process.pid}/status").read_text(encoding="ascii")
    found = re.search(r"VmHWM:\s+(\d+) kB", text)
    assert found, text
    return int(found[1]) * 1024


def strike_all(
    control: Control, daemon: subprocess.Popen[bytes], kinds: Sequence[str], change: Callable[[str], object] = str
) -> dict[str, int]:
    """Let each kind strike some polls, then call ``change``; return the peak memory after each."""
    peaks = {}
    for kind in kinds:
        control.strike(kind)
        eventually(lambda: control.struck() >= STRIKES)
        control.clear()
        peaks[kind] = peak_bytes(daemon)
        change(kind)
    return peaks


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak is read from /proc")
def test_r10_huge_and_endless_responses_cost_less_than_twenty_megabytes(tmp_path: Path) -> None:
    world, settings = tmp_path / "world.toml", tmp_path / "config.toml"
    simulator_log, daemon_log = tmp_path / "simulator.log", tmp_path / "daemon.log"
    world.write_text(f'[[service]]\nid = "{SERVICE}"\n', encoding="utf-8")
    with slow_receiver() as hook, started("simulate", "--port", "0", "--script", str(world), log=simulator_log):
        hook.let.set()
        eventually(lambda: "/api/v1" in simulator_log.read_text(encoding="utf-8"))
        found = re.search(r"http://[^\s\"]+/api/v1", simulator_log.read_text(encoding="utf-8"))
        assert found
        control = Control(found[0])
        control.show("learning")
        text = daemon_in_process.base_settings(found[0]) + daemon_in_process.WATCH.format(service=SERVICE)
        text += TO_HOOK.format(url=hook.url) + NO_INCIDENT
        settings.write_text(text.replace('timeout = "2s"', 'timeout = "1s"'), encoding="utf-8")
        with started("run", "--config", str(settings), log=daemon_log) as daemon:
            eventually(lambda: control.requests() >= POLLS_TO_WARM_UP)
            # A short outage loads the code that handles failures.
            strike_all(control, daemon, ["500"])
            before = peak_bytes(daemon)
            statuses = itertools.cycle(("stopping", "learning"))

            def change(kind: str) -> None:
                """Change the training after the fault; the hook must get that change and nothing else."""
                announced = len(hook.received)
                control.show(next(statuses))
                eventually(lambda: len(hook.received) > announced)
                assert len(hook.received) == announced + 1, f"{kind} announced something"

            peaks = strike_all(control, daemon, KINDS, change)
            control.show("completed")
            eventually(lambda: len(hook.received) == len(peaks) + 1)
            daemon.terminate()
            daemon.wait(timeout=30)
    growth = {kind: round((peak - before) / 1e6, 1) for kind, peak in peaks.items()}
    print(f"\npeak before: {before / 1e6:.1f} MB; above it after each, in MB: {growth}")
    note_growth((max(peaks.values()) - before) / 1e6)
    assert max(peaks.values()) - before < LIMIT_BYTES, growth
    evidence = daemon_in_process.evidence(tmp_path, [], [], {"hook": hook.received})
    assert violations(replace(evidence, answers_comparable=False)) == []
