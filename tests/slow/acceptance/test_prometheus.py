"""A real Prometheus scrapes a daemon with the token, loads the alert rules, and asks what the dashboard asks."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

import pytest

from scripts.grafana_dashboard import expressions
from tests.acceptance.cli_support import COMMAND, environment, eventually, read_until, started
from tests.acceptance.page_shell import free_ports
from tests.support.accounts import account_table
from tests.support.paths import DOCS

PROMETHEUS: Final = shutil.which("prometheus")
TOKEN: Final = "sesame-of-the-test"
CONFIG: Final = """
[state]
url = "sqlite:///history.db"
[web]
listen = "127.0.0.1:{web}"
token = {{ env = "WEB_TOKEN" }}
[heartbeat]
url = "{hook}/heartbeat"
every = "1s"
[incident]
after_failures = 2
after = "500ms"
[delivery]
first_retry = "200ms"
max_retry = "500ms"
give_up_after = "2s"
{account}
[[watch]]
service = "*"
interval = "500ms"
idle_interval = "500ms"
[receiver.console]
kind = "log"
[receiver.away]
kind = "webhook"
url = "{hook}/gone"
[[route]]
match = {{ kind = "*" }}
to = ["console", "away"]
"""
WITHOUT_SERIES: Final = {
    "aitems_watcher_training_stuck": "nothing is stuck here",
    "aitems_watcher_retraining_overdue": "nothing is overdue here",
    "aitems_watcher_updates_total": "there is no interval service here",
}
"""Metrics that this daemon has no series of; a query of them answers, but with nothing."""
OUTAGES: Final = "aitems_watcher_incidents_open"
METRIC: Final = re.compile(r"aitems_watcher_\w+")
NAME: Final = re.compile(r"- alert: (\w+)")

pytestmark = pytest.mark.skipif(PROMETHEUS is None, reason="needs Debian's prometheus: apt-get install prometheus")


@dataclass(frozen=True, slots=True)
class Prometheus:
    """Asks a running Prometheus by its HTTP API."""

    url: str

    def ask(self, path: str, **parameters: str) -> Any:
        """Return the data of an answer."""
        try:
            with urlopen(f"{self.url}/api/v1/{path}?{urlencode(parameters)}") as answer:  # noqa: S310 - our own
                return json.load(answer)["data"]
        except HTTPError as error:
            raise AssertionError(f"{path} {parameters}: {error.read().decode()}") from error

    def series(self, expression: str) -> list[Any]:
        """Return the series of an expression."""
        found: list[Any] = self.ask("query", query=expression)["result"]
        return found

    def rules(self) -> list[dict[str, Any]]:
        """Return the loaded rules."""
        return [rule for group in self.ask("rules")["groups"] for rule in group["rules"]]

    def firing(self, alert: str) -> list[dict[str, Any]]:
        """Return the firing alerts of a rule."""
        alerts = self.ask("alerts")["alerts"]
        return [item for item in alerts if item["labels"]["alertname"] == alert and item["state"] == "firing"]


@dataclass(frozen=True, slots=True)
class Place:
    """A Prometheus beside a daemon and a simulated AiTEMS, which a test ends."""

    prometheus: Prometheus
    daemon: subprocess.Popen[bytes]
    simulator: subprocess.Popen[str]
    control: str
    web: str

    def set_training(self, version: str, status: str) -> None:
        """Set a training of a service with earlier runs."""
        path = f"/services/{self.service()}/trains/pop/versions/{version}"
        body, headers = json.dumps({"status": status}).encode(), {"Content-Type": "application/json"}
        urlopen(Request(self.control + path, data=body, method="PUT", headers=headers)).close()  # noqa: S310 - our own

    def service(self) -> str:
        """Return the service of a training that is known."""
        wanted = Request(f"{self.web}/api/v1/runs?limit=1", headers={"Authorization": f"Bearer {TOKEN}"})  # noqa: S310 - our own
        with urlopen(wanted) as answer:  # noqa: S310 - our own
            return str(json.load(answer)["runs"][0]["service"])


@contextmanager
def receiver() -> Iterator[str]:
    """Serve a receiver that refuses each message, and a service for heartbeats; yield the address."""

    class Refusing(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(HTTPStatus.OK)

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self._answer(HTTPStatus.GONE)

        def _answer(self, status: HTTPStatus) -> None:
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_args: object) -> None:
            """Write no log."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Refusing) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def prometheus_config(folder: Path, web: int) -> Path:
    """Write the configuration that the documentation prints, for this machine, with rules that fire soon."""
    block = re.search(r"```yaml\n(scrape_configs:.*?)```", (DOCS / "metrics.md").read_text(), re.DOTALL)
    assert block is not None
    text = block[1].replace("127.0.0.1:8787", f"127.0.0.1:{web}").replace("/etc/prometheus", str(folder))
    assert text.count(str(folder)) == 2, "the token and the rules have other places in the documentation"
    (folder / "aitems-watcher-token").write_text(TOKEN)
    rules = re.sub(r"\bfor: \d+m\b", "for: 1s", (DOCS / "alerts.yml").read_text())
    (folder / "aitems-watcher-alerts.yml").write_text(rules)
    file = folder / "prometheus.yml"
    file.write_text(f"global: {{ scrape_interval: 500ms, scrape_timeout: 500ms, evaluation_interval: 500ms }}\n{text}")
    return file


def answers(url: str) -> bool:
    try:
        urlopen(url).close()  # noqa: S310 - our own
    except URLError:
        return False
    return True


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    api, web, own = free_ports(3)
    keys = {"NCP_ACCESS_KEY": "a-key", "NCP_SECRET_KEY": "a-secret", "WEB_TOKEN": TOKEN}
    history = ("--history", "20", "--services", "4", "--seed", "5", "--into", str(tmp_path / "history.db"), "--serve")
    signing = ("--access-key", keys["NCP_ACCESS_KEY"], "--secret-key", keys["NCP_SECRET_KEY"])
    with ExitStack() as stack:
        hook = stack.enter_context(receiver())
        simulator = stack.enter_context(started("simulate", *history, "--port", str(api), *signing))
        read_until(simulator, "aitems-watcher run")
        config = tmp_path / "config.toml"
        account = account_table(f"http://127.0.0.1:{api}/api/v1", "requests_per_second = 50")
        config.write_text(CONFIG.format(web=web, account=account, hook=hook))
        daemon = stack.enter_context(process([*COMMAND, "run", "--config", str(config)], tmp_path / "log", keys))
        eventually(lambda: answers(f"http://127.0.0.1:{web}/healthz"))
        listen = ("--web.listen-address", f"127.0.0.1:{own}", "--storage.tsdb.path", str(tmp_path / "data"))
        command = [str(PROMETHEUS), "--config.file", str(prometheus_config(tmp_path, web)), *listen]
        stack.enter_context(process(command, tmp_path / "prometheus.log", {}))
        eventually(lambda: answers(f"http://127.0.0.1:{own}/-/ready"))
        yield Place(
            Prometheus(f"http://127.0.0.1:{own}"),
            daemon,
            simulator,
            control=f"http://127.0.0.1:{api}/_control",
            web=f"http://127.0.0.1:{web}",
        )


@contextmanager
def process(command: list[str], log: Path, env: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program during the block."""
    with (
        log.open("w") as output,
        subprocess.Popen(command, stdout=output, stderr=output, env=environment(env)) as running,  # noqa: S603 - ours
    ):
        try:
            yield running
        finally:
            running.kill()


def test_prometheus_takes_the_metrics_the_rules_and_each_query_and_its_alerts_fire(place: Place) -> None:
    prometheus = place.prometheus
    eventually(lambda: [item["health"] for item in prometheus.ask("targets")["activeTargets"]] == ["up"])

    # Runs that end, so that their counters grow between two scrapes, and one that goes on.
    for version in ("first", "second"):
        place.set_training(version, "learning")
        eventually(partial(in_progress, prometheus, version))
        place.set_training(version, "learningFailed")
        eventually(partial(ended, prometheus, version))
    place.set_training("third", "learning")

    eventually(lambda: {rule["health"] for rule in prometheus.rules()} == {"ok"})
    rules = prometheus.rules()
    assert [rule["name"] for rule in rules] == NAME.findall((DOCS / "alerts.yml").read_text())
    for rule in rules:
        prometheus.series(rule["query"])
    of_outages = [text for text in expressions() if OUTAGES in text]
    for expression in set(expressions()) - set(of_outages):
        wait_for_series(prometheus, expression)

    eventually(lambda: "receiver-failing" in labels(prometheus.firing("AitemsWatcherNotReady"), "reason"))
    eventually(lambda: "away" in labels(prometheus.firing("AitemsWatcherDeadLetters"), "receiver"))
    place.simulator.terminate()
    for expression in of_outages:
        wait_for_series(prometheus, expression)
    eventually(lambda: bool(prometheus.firing("AitemsWatcherCannotPoll")))
    assert not prometheus.firing("AitemsWatcherDown")
    place.daemon.terminate()
    eventually(lambda: bool(prometheus.firing("AitemsWatcherDown")))
    assert [text for item in prometheus.ask("alerts")["alerts"] for text in faulty_texts(item)] == []


def wait_for_series(prometheus: Prometheus, expression: str) -> None:
    """Wait until a query has an answer with a series, if this daemon can have one."""
    if WITHOUT_SERIES.keys() & set(METRIC.findall(expression)):
        prometheus.series(expression)
        return
    try:
        eventually(lambda: bool(prometheus.series(expression)))
    except AssertionError as error:
        error.add_note(f"no series: {expression}")
        raise


def ended(prometheus: Prometheus, version: str) -> bool:
    return not in_progress(prometheus, version)


def in_progress(prometheus: Prometheus, version: str) -> bool:
    return bool(prometheus.series(f'aitems_watcher_training_in_progress{{version="{version}"}}'))


def labels(alerts: list[dict[str, Any]], name: str) -> set[str]:
    return {item["labels"][name] for item in alerts}


def faulty_texts(alert: dict[str, Any]) -> list[str]:
    """Return the texts of an alert in which a template failed, or a label is missing."""
    return [text for text in alert["annotations"].values() if "<error" in text or "  " in text or text.endswith(": ")]
