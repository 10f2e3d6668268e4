"""R19: a system resolver whose threads hang."""

from __future__ import annotations

import asyncio
import socket
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.support import daemon_in_process
from tests.support.accounts import account_table
from tests.support.changing_trainings import SERVICES, changes_under_way, wait_until_settled
from tests.support.fault_table import TALLY
from tests.support.invariants import DaemonRun, violations
from tests.support.recording_simulator import RecordingSimulator
from tests.support.servers import Inbox, listening
from watcher.simulator import serve

OTHER_ACCOUNT = account_table("https://slow.example/api/v1", 'timeout = "300ms"', name="other")
OTHER_WATCH = """
[[watch]]
account = "other"
service = "{service}"
interval = "200ms"
idle_interval = "200ms"
"""


def by_name(url: str) -> str:
    """Return a URL of this machine with a name that must be resolved."""
    return url.replace("127.0.0.1", "localhost")


async def test_r19_resolver_threads_that_hang_do_not_delay_another_account(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The system's resolver hangs like this: in a thread that cannot be ended, for each question again.
    resolve, released = socket.getaddrinfo, threading.Event()
    seconds, questions = 30 if TALLY.full else 6, list[Any]()

    def hang(host: Any, *args: Any, **options: Any) -> Any:
        if host in {"slow.example", b"slow.example"}:
            questions.append(host)
            released.wait(seconds)
            raise socket.gaierror(socket.EAI_AGAIN, "no answer")
        return resolve(host, *args, **options)

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    api = RecordingSimulator()
    async with serve(api) as simulator, listening(Inbox()) as hook:
        text = daemon_in_process.settings(by_name(simulator.base_url), list(SERVICES), {"hook": by_name(hook.url)})
        text = text.replace("[[watch]]", '[[watch]]\naccount = "main"') + OTHER_ACCOUNT
        text += "".join(OTHER_WATCH.format(service=f"hanging{number}") for number in range(8))
        started_at = datetime.now(UTC)
        async with daemon_in_process.running(tmp_path, text):
            async with changes_under_way(api, 19):
                until = asyncio.get_running_loop().time() + 2 * seconds
                while asyncio.get_running_loop().time() < until:
                    announced = len(hook.received)
                    await daemon_in_process.eventually(lambda announced=announced: len(hook.received) > announced)  # type: ignore[misc]
            released.set()
            await wait_until_settled(tmp_path, api)
        life = DaemonRun(started_at, datetime.now(UTC))
    assert violations(daemon_in_process.evidence(tmp_path, api.shown, [life], {"hook": hook.received})) == []
    causes = {event["incident"]["cause"] for event in hook.events() if event["incident"] and event["account"] == "main"}
    assert len(questions) > 1
    assert causes == set(), "the account with a working name had an incident"
