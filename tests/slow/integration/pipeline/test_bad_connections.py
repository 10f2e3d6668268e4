"""Bad network connections between the daemon and everything that it calls."""

from __future__ import annotations

import asyncio
import random
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from tests.support import daemon_in_process
from tests.support.changing_trainings import SERVICES, all_delivered, keep_changing
from tests.support.fault_table import rounds
from tests.support.invariants import DaemonRun, violations
from tests.support.proxy import NetworkFault, proxy_to
from tests.support.recording_simulator import RecordingSimulator
from tests.support.servers import Inbox, as_slack, listening
from watcher.core.event import Event, Kind
from watcher.simulator import serve

FAULTS: Final = tuple(fault for fault in NetworkFault if fault is not NetworkFault.NONE)


async def test_r8_bad_connections_to_everything_lose_and_double_no_event(tmp_path: Path) -> None:
    draw, api = random.Random(8), RecordingSimulator()  # noqa: S311 - it chooses the changes
    for service in SERVICES:
        api.set_training(service, "pop", "v0", "requesting")
    async with AsyncExitStack() as stack:
        simulator = await stack.enter_async_context(serve(api))
        hook = await stack.enter_async_context(listening(Inbox()))
        chat = await stack.enter_async_context(listening(Inbox(as_slack)))
        switch = await stack.enter_async_context(listening(Inbox()))
        urls = (simulator.base_url, hook.url, chat.url, switch.url)
        proxies = [await stack.enter_async_context(proxy_to(url)) for url in urls]
        to_api, to_hook, to_chat, to_switch = proxies
        text = daemon_in_process.settings(to_api.url, list(SERVICES), {"hook": to_hook.url}).replace('"2s"', '"500ms"')
        text += daemon_in_process.SLACK.format(name="chat") + '\n[incident]\nafter_failures = 100\nafter = "1h"\n'
        text += f'\n[heartbeat]\nurl = "{to_switch.url}"\nevery = "1s"\n'
        text = text.replace('to = ["hook"]', 'continue = true\nto = ["hook"]')
        text += '\n[[route]]\nmatch = { kind = "failed" }\nto = ["chat"]\n\n[[route]]\nto = []\n'
        started_at = datetime.now(UTC)
        async with daemon_in_process.running(tmp_path, text, {"SLACK_URL": to_chat.url}):
            changing = asyncio.create_task(keep_changing(api, draw))
            for _ in range(rounds(few=1, full=10)):
                for fault in FAULTS:
                    for proxy in proxies:
                        proxy.set_fault(fault)
                        struck = proxy.struck
                        await asyncio.sleep(1.0)
                        await daemon_in_process.eventually(
                            lambda proxy=proxy, struck=struck: proxy.struck > struck or proxy is to_chat  # type: ignore[misc]
                        )
                        proxy.set_fault(NetworkFault.NONE)
                        await asyncio.sleep(0.3)
            changing.cancel()
            shown, heartbeats = len(api.shown), len(switch.received)
            await daemon_in_process.eventually(lambda: len(switch.received) > heartbeats)
            await daemon_in_process.eventually(lambda: len(api.shown) > shown + 50)
            await daemon_in_process.eventually(lambda: all_delivered(tmp_path), 90)
        life = DaemonRun(started_at, datetime.now(UTC))
    evidence = daemon_in_process.evidence(tmp_path, api.shown, [life], {"hook": hook.received})
    assert violations(replace(evidence, answers_comparable=False, routed=receivers_of)) == []
    failed = [announced.event for announced in evidence.announced if announced.event.kind is Kind.FAILED]
    assert len(chat.received) >= len(failed) > 0


def receivers_of(event: Event) -> frozenset[str]:
    return frozenset({"hook", "chat"} if event.kind is Kind.FAILED else {"hook"})
