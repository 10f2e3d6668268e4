"""R27: receivers at forbidden addresses get no connection, and the other receivers miss no event."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from starlette.responses import RedirectResponse

from tests.support import daemon_in_process
from tests.support.changing_trainings import SERVICES, changes_under_way, wait_until_settled
from tests.support.fault_table import rounds
from tests.support.invariants import DaemonRun, violations
from tests.support.recording_simulator import RecordingSimulator
from tests.support.servers import Inbox, listening
from watcher.core.event import Kind
from watcher.simulator import serve

METADATA = "169.254.169.254"
FORBIDDEN = {"named": (METADATA, "fd00:ec2::254"), "local": ("fe80::1",), "mapped": ("::ffff:169.254.169.254",)}
MIXED = {"mixed": ("fe80::1", METADATA, "127.0.0.1", "::ffff:169.254.169.254")}
"""A name with one allowed address among forbidden ones, such as a machine's own name."""


@pytest.fixture
def connected(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Record the addresses that this process connects to, and resolve the names of the receivers."""
    seen: set[str] = set()
    connect, getaddrinfo = socket.socket.connect, socket.getaddrinfo

    def connecting(self: socket.socket, address: Any) -> None:
        seen.add(address[0])
        connect(self, address)

    def leading(host: Any, port: Any, *args: Any, **more: Any) -> Any:
        name = (host.decode() if isinstance(host, bytes) else host or "").removesuffix(".example")
        found = (FORBIDDEN | MIXED).get(name, (host,))
        return [info for address in found for info in getaddrinfo(address, port, *args, **more)]

    monkeypatch.setattr(socket.socket, "connect", connecting)
    monkeypatch.setattr(socket, "getaddrinfo", leading)
    return seen


async def test_r27_forbidden_receivers_get_no_connection_and_the_others_get_every_event(
    tmp_path: Path, connected: set[str]
) -> None:
    api = RecordingSimulator()
    moved = Inbox(lambda _received: RedirectResponse(f"http://{METADATA}/latest/", 302))
    async with serve(api) as simulator, listening(Inbox()) as hook, listening(Inbox()) as mixed, listening(moved):
        hooks = {"hook": hook.url, "mixed": mixed.url.replace("127.0.0.1", "mixed.example")}
        forbidden = {name: f"http://{name}.example:9/hook" for name in FORBIDDEN} | {"moved": moved.url}
        runs, started_at = [], datetime.now(UTC)
        async with daemon_in_process.running(
            tmp_path, daemon_in_process.settings(simulator.base_url, list(SERVICES), hooks | forbidden)
        ):
            async with changes_under_way(api, 27):
                for _ in range(rounds(few=1, full=10)):
                    announced = len(hook.received)
                    await daemon_in_process.eventually(
                        lambda announced=announced: len(hook.received) > announced + 10,  # type: ignore[misc]
                        60,
                    )
            await daemon_in_process.eventually(lambda: failing(hook) == set(forbidden))
            runs.append(DaemonRun(started_at, datetime.now(UTC)))
        # At the next start, their deliveries expire, and the remaining receiver is notified of that.
        await asyncio.sleep(1.5)
        text = daemon_in_process.settings(simulator.base_url, list(SERVICES), hooks)
        started_at = datetime.now(UTC)
        async with daemon_in_process.running(tmp_path, text.replace("[delivery]", '[delivery]\ngive_up_after = "1s"')):
            await wait_until_settled(tmp_path, api)
        runs.append(DaemonRun(started_at, datetime.now(UTC)))
    assert connected == {"127.0.0.1"}
    received = {"hook": hook.received, "mixed": mixed.received}
    evidence = daemon_in_process.evidence(tmp_path, api.shown, runs, received)
    assert evidence.ledger is not None
    assert {entry.ending for entry in evidence.ledger if entry.receiver in forbidden} == {"dead"}
    assert violations(replace(evidence, ledger=[entry for entry in evidence.ledger if entry.receiver in hooks])) == []


def failing(hook: Inbox) -> set[str]:
    """Return the receivers that were announced as failing."""
    return {event["receiver"]["name"] for event in hook.events() if event["kind"] == Kind.RECEIVER_FAILING}
