"""The peer that does the same job: Prometheus, blackbox_exporter and Alertmanager, one view of each training.

Prometheus has the exporter view each training, a rule fires where the answer names another status than the first one,
and Alertmanager posts to the benchmark's server. Debian's packages are used where they are installed.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.daemon import Server, free_port, server
from bench.polling import INTERVAL_SECONDS, PER_SERVICE
from bench.process import Usage, total
from bench.world import STAGES, service_name, version

PROMETHEUS: Final = "prometheus"
BLACKBOX: Final = "prometheus-blackbox-exporter"
ALERTMANAGER: Final = "prometheus-alertmanager"
PROGRAMS: Final = (PROMETHEUS, BLACKBOX, ALERTMANAGER)
NAME: Final = "Prometheus + blackbox + Alertmanager"
START_SECONDS: Final = 15.0


@dataclass(frozen=True, slots=True)
class StackUse:
    """The use of the three programs over some sweeps of views."""

    usage: Usage
    polls: float
    name: str = NAME

    @property
    def milliseconds(self) -> float:
        """CPU time of one view."""
        return 1000 * self.usage.cpu_seconds / max(1.0, self.polls)


def is_installed() -> bool:
    """Return whether all three programs are installed."""
    return all(map(shutil.which, PROGRAMS))


def measure(trainings: int, sweeps: int) -> StackUse | None:
    """Measure sweeps over single trainings; ``None`` where a program is missing."""
    if not is_installed():
        return None
    services = max(1, trainings // PER_SERVICE)
    with server(services, min(trainings, PER_SERVICE)) as api, running(api, trainings, INTERVAL_SECONDS) as pids:
        time.sleep(INTERVAL_SECONDS + START_SECONDS)
        before, polls = total(pids), api.control("counts")["polls"]
        time.sleep(INTERVAL_SECONDS * sweeps)
        used = total(pids).since(before)
        done = api.control("counts")["polls"] - polls
        return StackUse(used, done)


def latencies(services: int, per_service: int, seconds: float, pause_seconds: float) -> list[float] | None:
    """Return the seconds from each change to its POST at an interval of 1 s; ``None`` without the programs."""
    if not is_installed():
        return None
    with server(services, per_service) as api, running(api, services * per_service, 1, per_service=per_service):
        time.sleep(START_SECONDS)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            api.control("move-one")
            time.sleep(pause_seconds)
        time.sleep(START_SECONDS / 3)
        return [float(value) for value in api.control("counts")["latencies"]]


@contextmanager
def running(api: Server, trainings: int, interval: int, *, per_service: int = PER_SERVICE) -> Iterator[list[int]]:
    """Run the three programs; yield their process ids."""
    ports = {program: free_port() for program in PROGRAMS}
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        _write_configurations(folder, api, ports, interval)
        (folder / "targets.json").write_text(json.dumps([{"targets": _targets(api, trainings, per_service)}]))
        yield [stack.enter_context(_process(command)) for command in _commands(folder, ports)]


def _targets(api: Server, trainings: int, per_service: int) -> list[str]:
    return [
        f"{api.url}/api/v1/services/{service_name(n // per_service)}/trains/pop/versions/{version(n % per_service)}"
        for n in range(trainings)
    ]


def _commands(folder: Path, ports: dict[str, int]) -> list[list[str]]:
    def listen(program: str) -> str:
        return f"127.0.0.1:{ports[program]}"

    return [
        [BLACKBOX, f"--config.file={folder / 'blackbox.yml'}", f"--web.listen-address={listen(BLACKBOX)}"],
        [
            ALERTMANAGER,
            f"--config.file={folder / 'alertmanager.yml'}",
            f"--storage.path={folder / 'alerts'}",
            f"--web.listen-address={listen(ALERTMANAGER)}",
            "--cluster.listen-address=",
        ],
        [
            PROMETHEUS,
            f"--config.file={folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={folder / 'series'}",
            f"--web.listen-address={listen(PROMETHEUS)}",
        ],
    ]


@contextmanager
def _process(command: Sequence[str]) -> Iterator[int]:
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:  # noqa: S603
        try:
            yield process.pid
        finally:
            process.terminate()
            process.wait()


def _write_configurations(folder: Path, api: Server, ports: dict[str, int], interval: int) -> None:
    module = {"prober": "http", "http": {"fail_if_body_not_matches_regexp": [f'"status":"{STAGES[0]}"']}}
    # YAML reads JSON.
    (folder / "blackbox.yml").write_text(json.dumps({"modules": {"view": module}}))
    (folder / "alertmanager.yml").write_text(
        "route: {receiver: hook, group_by: [instance], group_wait: 0s, group_interval: 1s}\n"
        f"receivers: [{{name: hook, webhook_configs: [{{url: '{api.url}/hook'}}]}}]\n"
    )
    (folder / "rules.yml").write_text(
        f"groups: [{{name: bench, interval: {interval}s, rules: [{{alert: Changed, expr: probe_success == 0}}]}}]\n"
    )
    (folder / "prometheus.yml").write_text(f"""
global: {{scrape_interval: {interval}s, scrape_timeout: {interval}s, evaluation_interval: {interval}s}}
rule_files: [rules.yml]
alerting: {{alertmanagers: [{{static_configs: [{{targets: ["127.0.0.1:{ports[ALERTMANAGER]}"]}}]}}]}}
scrape_configs:
- job_name: view
  metrics_path: /probe
  params: {{module: [view]}}
  file_sd_configs: [{{files: [targets.json]}}]
  relabel_configs:
  - {{source_labels: [__address__], target_label: __param_target}}
  - {{source_labels: [__param_target], target_label: instance}}
  - {{target_label: __address__, replacement: "127.0.0.1:{ports[BLACKBOX]}"}}
""")
