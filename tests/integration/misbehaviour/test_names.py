"""R19: names that do not resolve, names that take for ever, and an AiTEMS on IPv6 alone."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.support import house
from tests.support.invariants import violations
from tests.support.servers import Inbox, listening
from tests.support.witness import Shown, Witness
from watcher.simulator import serve

SENSITIVE = '\n[incident]\nafter_failures = 2\nafter = "100ms"\n'


async def test_r19_a_name_that_does_not_resolve_is_an_incident_of_its_cause(tmp_path: Path) -> None:
    async with listening(Inbox()) as hook:
        text = house.settings("https://no-such-host.invalid/api/v1", ["s1"], {"hook": hook.url}) + SENSITIVE
        async with house.running(tmp_path, text):
            await house.eventually(lambda: bool(hook.received))
    assert hook.events()[0]["incident"]["cause"] == "dns"
    assert broken_promises(tmp_path, hook) == []


async def test_r19_a_resolver_that_hangs_is_ended_by_the_deadline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answered = asyncio.get_running_loop().getaddrinfo

    async def hang(host: Any, *args: Any, **options: Any) -> Any:
        if host in {"slow.example", b"slow.example"}:
            await asyncio.sleep(30)
        return await answered(host, *args, **options)

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", hang)
    async with listening(Inbox()) as hook:
        text = house.settings("https://slow.example/api/v1", ["s1"], {"hook": hook.url}) + SENSITIVE
        async with house.running(tmp_path, text.replace('timeout = "2s"', 'timeout = "300ms"')):
            await house.eventually(lambda: bool(hook.received))
    assert hook.events()[0]["incident"]["cause"] == "deadline"
    assert broken_promises(tmp_path, hook) == []


async def test_r19_an_aitems_on_ipv6_alone_is_watched_like_any_other(tmp_path: Path) -> None:
    api = Witness()
    api.set_training("s1", "pop", "v1", "learning")
    async with serve(api, host="::1") as simulator, listening(Inbox()) as hook:
        text = house.settings(simulator.base_url, ["s1"], {"hook": hook.url})
        await _see_it_complete(tmp_path, text, api, hook)
    assert [event["kind"] for event in hook.events()] == ["succeeded"]
    assert broken_promises(tmp_path, hook, api.shown) == []


def broken_promises(folder: Path, hook: Inbox, shown: Sequence[Shown] = ()) -> list[str]:
    """Compare what was shown, recorded and told; return every broken promise."""
    return violations(house.evidence(folder, shown, [], {"hook": hook.received}))


async def _see_it_complete(folder: Path, text: str, api: Witness, hook: Inbox) -> None:
    async with house.running(folder, text):
        api.set_training("s1", "pop", "v1", "completed")
        await house.eventually(lambda: bool(hook.received))
