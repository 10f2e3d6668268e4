"""R19: names that do not resolve, resolvers that hang, and an AiTEMS with IPv6 only."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.support import daemon_in_process
from tests.support.invariants import violations
from tests.support.recording_simulator import RecordingSimulator, ShownAnswer
from tests.support.servers import Inbox, listening
from watcher.simulator import serve

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
