"""R19: names that do not resolve, resolvers that hang, and an AiTEMS with IPv6 only."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.support import daemon_in_process
from tests.support.changing_trainings import SERVICES, changes_under_way, wait_until_settled
from tests.support.fault_table import TALLY
from tests.support.invariants import DaemonRun, violations
from tests.support.recording_simulator import RecordingSimulator, ShownAnswer
from tests.support.servers import Inbox, listening
from watcher.simulator import serve

OTHER_ACCOUNT = """
[account.other]
base_url = "https://slow.example/api/v1"
access_key = { env = "NCP_ACCESS_KEY" }
secret_key = { env = "NCP_SECRET_KEY" }
timeout = "300ms"
"""
OTHER_WATCH = """
[[watch]]
account = "other"
service = "{service}"
interval = "200ms"
idle_interval = "200ms"
"""
SENSITIVE = '\n[incident]\nafter_failures = 2\nafter = "100ms"\n'


async def test_r19_a_name_that_does_not_resolve_opens_an_incident_with_cause_dns(tmp_path: Path) -> None:
    async with listening(Inbox()) as hook:
        text = daemon_in_process.settings("https://no-such-host.invalid/api/v1", ["s1"], {"hook": hook.url}) + SENSITIVE
        async with daemon_in_process.running(tmp_path, text):
            await daemon_in_process.eventually(lambda: bool(hook.received))
    assert hook.events()[0]["incident"]["cause"] == "dns"
    assert broken_invariants(tmp_path, hook) == []


async def test_r19_a_call_whose_name_resolution_hangs_ends_at_its_deadline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answered = asyncio.get_running_loop().getaddrinfo

    async def hang(host: Any, *args: Any, **options: Any) -> Any:
        if host in {"slow.example", b"slow.example"}:
            await asyncio.sleep(30)
        return await answered(host, *args, **options)

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", hang)
    async with listening(Inbox()) as hook:
        text = daemon_in_process.settings("https://slow.example/api/v1", ["s1"], {"hook": hook.url}) + SENSITIVE
        async with daemon_in_process.running(tmp_path, text.replace('timeout = "2s"', 'timeout = "300ms"')):
            await daemon_in_process.eventually(lambda: bool(hook.received))
    assert hook.events()[0]["incident"]["cause"] == "deadline"
    assert broken_invariants(tmp_path, hook) == []


@pytest.mark.slow
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


def by_name(url: str) -> str:
    """Return a URL of this machine with a name that must be resolved."""
    return url.replace("127.0.0.1", "localhost")


async def test_r19_an_aitems_with_ipv6_only_is_watched_like_any_other(tmp_path: Path) -> None:
    api = RecordingSimulator()
    api.set_training("s1", "pop", "v1", "learning")
    async with serve(api, host="::1") as simulator, listening(Inbox()) as hook:
        text = daemon_in_process.settings(simulator.base_url, ["s1"], {"hook": hook.url})
        await _complete_training(tmp_path, text, api, hook)
    assert [event["kind"] for event in hook.events()] == ["succeeded"]
    assert broken_invariants(tmp_path, hook, api.shown) == []


def broken_invariants(folder: Path, hook: Inbox, shown: Sequence[ShownAnswer] = ()) -> list[str]:
    """Compare the shown, recorded and received changes; return the broken invariants."""
    return violations(daemon_in_process.evidence(folder, shown, [], {"hook": hook.received}))


async def _complete_training(folder: Path, text: str, api: RecordingSimulator, hook: Inbox) -> None:
    async with daemon_in_process.running(folder, text):
        api.set_training("s1", "pop", "v1", "completed")
        await daemon_in_process.eventually(lambda: bool(hook.received))
