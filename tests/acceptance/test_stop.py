"""R5: SIGTERM during a delivery."""

from __future__ import annotations

import json
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.acceptance.cli_support import KEYS, Workplace, eventually, read_until, started, stopped
from tests.support import daemon_in_process
from tests.support.invariants import violations
from tests.support.servers import Received

HOOK = """
[receiver.hook]
kind = "webhook"
url = "{url}"

[[route]]
to = ["hook"]
match = {{ kind = "*" }}
"""


STOP_SECONDS = 20.0
"""``TimeoutStopSec`` of the unit: after it, systemd kills the process."""


class Slow:
    """A receiver that answers when the test releases it; it keeps every message."""

    def __init__(self) -> None:
        self.let = threading.Event()
        self.received: list[Received] = []
        self.url = ""

    @property
    def ids(self) -> list[str]:
        return [item.webhook_id for item in self.received]


@contextmanager
def slow_receiver() -> Iterator[Slow]:
    slow = Slow()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            slow.received.append(Received(datetime.now(UTC), headers, body))
            slow.let.wait(30)
            self.send_response(HTTPStatus.NO_CONTENT)
            self.end_headers()

        def log_message(self, *_args: object) -> None:
            """Write no log."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        slow.url = f"http://127.0.0.1:{server.server_port}/hook"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield slow
        finally:
            slow.let.set()
            server.shutdown()
            thread.join()


def stopped_in_time(daemon: subprocess.Popen[str]) -> tuple[int, str]:
    """Send SIGTERM; return the exit status and the rest of standard output."""
    began = time.monotonic()
    ended = stopped(daemon, signal.SIGTERM)
    assert time.monotonic() - began < STOP_SECONDS
    return ended


def deliveries(workplace: Workplace) -> list[str]:
    lines = workplace.command("history", "--json").stdout.splitlines()
    return [delivery["state"] for line in lines for delivery in json.loads(line)["deliveries"]]


def broken_invariants(workplace: Workplace, slow: Slow) -> list[str]:
    evidence = daemon_in_process.evidence(workplace.folder, [], [], {"hook": slow.received})
    return violations(replace(evidence, answers_comparable=False))


def test_r5_a_delivery_that_runs_at_sigterm_is_finished(workplace: Workplace) -> None:
    with slow_receiver() as slow:
        workplace.write(HOOK.format(url=slow.url))
        with started("run", "--config", workplace.config, env=KEYS) as daemon:
            read_until(daemon, "watcher.ready")
            workplace.set_training("v1", "completed")
            eventually(lambda: len(slow.ids) == 1)
            daemon.send_signal(signal.SIGTERM)
            read_until(daemon, "watcher.stopping")
            slow.let.set()
            assert stopped_in_time(daemon)[0] == 0
    assert deliveries(workplace) == ["delivered"]
    assert len(slow.ids) == 1
    assert broken_invariants(workplace, slow) == []


def test_r5_a_delivery_that_does_not_end_in_time_is_repeated_by_the_next_start(workplace: Workplace) -> None:
    with slow_receiver() as slow:
        workplace.write(HOOK.format(url=slow.url))
        with started("run", "--config", workplace.config, env=KEYS) as daemon:
            read_until(daemon, "watcher.ready")
            workplace.set_training("v1", "completed")
            eventually(lambda: len(slow.ids) == 1)
            status, rest = stopped_in_time(daemon)
        assert status == 0
        assert "watcher.stopped" in rest
        slow.let.set()
        with started("run", "--config", workplace.config, env=KEYS) as daemon:
            read_until(daemon, "delivery.sent")
            assert stopped(daemon, signal.SIGTERM)[0] == 0
    assert deliveries(workplace) == ["delivered"]
    assert len(set(slow.ids)) == 1, "a repeat has the same id"
    assert broken_invariants(workplace, slow) == []
