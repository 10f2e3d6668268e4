"""``deliveries``: an operator retries and drops, without a daemon and beside one."""

from __future__ import annotations

import getpass
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.cli_support import KEYS, Workplace, eventually, started
from watcher.core.delivery.model import PARKED_RETRY, TRIES

ROUTED = """
[receiver.hook]
kind = "webhook"
url = "{url}"

[[route]]
match = {{ kind = ["succeeded", "failed"] }}
to = ["hook"]

[[route]]
to = ["console"]
"""


class Hook:
    """A webhook with a settable answer."""

    def __init__(self) -> None:
        self.status = HTTPStatus.GONE
        self.got: list[Any] = []


@contextmanager
def hook_server() -> Iterator[tuple[str, Hook]]:
    hook = Hook()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            hook.got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(hook.status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_args: object) -> None:
            """Write no log."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/hook", hook
        finally:
            server.shutdown()
            thread.join()


def listed(workplace: Workplace, *args: str) -> list[Any]:
    shown = workplace.deliveries("list", "--json", *args)
    assert shown.returncode == 0, shown.stderr
    return [json.loads(line) for line in shown.stdout.splitlines()]


def waits_long(deliveries: list[Any]) -> bool:
    """Return whether the only delivery is pending until its receiver is tried again in an hour."""
    (waiting,) = deliveries
    if waiting["state"] != "pending":
        return False
    return datetime.fromisoformat(waiting["next_at"]) - datetime.now(UTC) > PARKED_RETRY / 2


def test_a_failing_receiver_is_announced_to_another_and_its_delivery_can_be_dropped_without_a_daemon(
    workplace: Workplace,
) -> None:
    with hook_server() as (url, hook):
        workplace.write(ROUTED.format(url=url))
        soon = workplace.config.read_text().replace("[delivery]", '[delivery]\nfailing_after = "1s"')
        workplace.config.write_text(soon)
        workplace.command("once", env=KEYS)
        workplace.set_training("v1", "completed")
        workplace.command("once", env=KEYS)
        time.sleep(1)
        swept = workplace.command("once", env=KEYS)
        assert '"type":"receiver.failing"' in swept.stdout
        assert len(hook.got) == 2
        status = workplace.command("status")
        assert status.returncode == 1
        assert "http 410" in status.stdout
        (waiting,) = listed(workplace)
        assert (waiting["receiver"], waiting["state"]) == ("hook", "pending")
        shown = workplace.deliveries("show", waiting["id"][:12])
        assert "Training completed" in shown.stdout
        dropped = workplace.deliveries("drop", waiting["id"][:12], "--by", "mina")
        assert (dropped.returncode, dropped.stdout.splitlines()[-1]) == (0, "1 delivery")
        (gone,) = listed(workplace, "--state", "dropped")
        assert gone["reason"] == "dropped by mina"
        assert workplace.deliveries("retry", waiting["id"]).returncode == 1
        assert "was dropped" in workplace.deliveries("retry", waiting["id"]).stderr


@pytest.mark.smoke
def test_beside_a_daemon_a_retry_is_sent_at_once(workplace: Workplace) -> None:
    with hook_server() as (url, hook):
        workplace.write(ROUTED.format(url=url))
        soon = workplace.config.read_text().replace('first_retry = "200ms"', 'first_retry = "100ms"')
        workplace.config.write_text(soon)
        workplace.command("once", env=KEYS)
        with started("run", "--config", workplace.config, env=KEYS):
            workplace.simulator.wait_for_polls(2)
            workplace.set_training("v1", "learningFailed")
            # After three refusals the receiver is parked: without the command, the next attempt is in an hour.
            eventually(lambda: len(hook.got) == TRIES)
            eventually(lambda: waits_long(listed(workplace, "--receiver", "hook")))
            hook.status = HTTPStatus.OK
            retried = workplace.deliveries("retry", listed(workplace)[0]["id"])
            assert retried.returncode == 0, retried.stderr
            eventually(lambda: len(hook.got) > TRIES)
            eventually(lambda: listed(workplace) == [])
            assert hook.got == [hook.got[0]] * (TRIES + 1)
        # The reason of a delivered one is its answer, so only the action still names who retried it.
        (sent,) = listed(workplace, "--state", "delivered", "--receiver", "hook")
        user = getpass.getuser()
        assert [(action["action"], action["by"]) for action in sent["actions"]] == [("retry", user)]
        assert f"retried by {user}, " in workplace.deliveries("show", sent["id"]).stdout
        assert f"hook (retried by {user})" in workplace.command("history", "--wide").stdout


def test_wrong_usage_and_a_missing_store_are_refused(workplace: Workplace, tmp_path: Path) -> None:
    assert workplace.deliveries("retry").returncode == 2
    assert workplace.deliveries("list", "--state", "lost").returncode == 2
    assert workplace.deliveries("retry", "msg_x", "--all-dead").returncode == 2
    missing = workplace.deliveries("drop", "msg_x")
    assert missing.returncode == 75
    assert "there is no store" in missing.stderr
    assert list(tmp_path.glob("*.db")) == []
