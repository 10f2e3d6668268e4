"""R42: peers that close kept connections around a request make no failed poll and no wrong mark of a repeat."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from structlog.testing import capture_logs

from tests.support import daemon_in_process
from tests.support.changing_trainings import SERVICES, changes_under_way, wait_until_settled
from tests.support.closing_peer import closing_peer
from tests.support.fault_table import rounds
from tests.support.invariants import DaemonRun, repeats, violations
from tests.support.recording_simulator import RecordingSimulator
from tests.support.servers import Inbox, as_slack, listening
from watcher.core.event import Event, Kind
from watcher.simulator import serve

MARK = b"may be a repeat"
CLOSES = 2
"""Closed connections to the API and to the webhook at each point, in one round."""
MESSAGES = 2
BUSY = timedelta(seconds=10)
"""The time in which a busy machine records an answer."""


def receivers_of(event: Event) -> frozenset[str]:
    return frozenset({"hook", "chat"} if event.kind is Kind.FAILED else {"hook"})


async def test_r42_peers_that_close_idle_connections_cost_no_poll_and_mark_no_message(tmp_path: Path) -> None:
    api, draw = RecordingSimulator(), random.Random(42)  # noqa: S311 - test data
    for service in SERVICES:
        api.set_training(service, "pop", "v0", "requesting")
    async with (
        serve(api) as simulator,
        listening(Inbox()) as hook,
        listening(Inbox(as_slack)) as chat,
        closing_peer(simulator.base_url, draw) as to_api,
        closing_peer(hook.url, draw) as to_hook,
        closing_peer(chat.url, draw) as to_chat,
    ):
        text = daemon_in_process.settings(to_api.url, list(SERVICES), {"hook": to_hook.url})
        # A busy machine must not fail a poll by its deadline.
        text = text.replace('timeout = "2s"', 'timeout = "60s"')
        text = text.replace('to = ["hook"]', 'continue = true\nto = ["hook"]')
        text += daemon_in_process.SLACK.format(name="chat")
        text += '\n[[route]]\nmatch = { kind = "failed" }\nto = ["chat"]\n\n[[route]]\nto = []\n'
        started_at = datetime.now(UTC)
        with capture_logs() as logs:
            async with daemon_in_process.running(tmp_path, text, {"SLACK_URL": to_chat.url}):
                async with changes_under_way(api, 42):
                    for number in range(1, 1 + rounds(few=1, full=60)):
                        await daemon_in_process.eventually(
                            lambda number=number: (  # type: ignore[misc]
                                min(*to_api.closed.values(), *to_hook.closed.values()) >= CLOSES * number
                                and len(chat.received) >= MESSAGES * number
                            ),
                            300,
                        )
                await wait_until_settled(tmp_path, api)
        life = DaemonRun(started_at, datetime.now(UTC))
    assert [entry for entry in logs if entry["event"] == "poll.failed"] == []
    assert not any(MARK in item.body for item in chat.received)
    assert repeats(hook.received) == 0
    evidence = daemon_in_process.evidence(tmp_path, api.shown, [life], {"hook": hook.received})
    assert violations(replace(evidence, routed=receivers_of, patience=BUSY)) == []
    failed = [announced.event for announced in evidence.announced if announced.event.kind is Kind.FAILED]
    assert len(failed) > 0
