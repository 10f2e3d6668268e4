"""R42: peers that close kept connections around a request make no failed poll, no second message, no wrong mark."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime
from itertools import cycle
from pathlib import Path

from structlog.testing import capture_logs

from tests.support import daemon_in_process
from tests.support.changing_trainings import SERVICES, changes_under_way, wait_until_settled
from tests.support.closing_peer import closing_peer
from tests.support.fault_table import remark, rounds
from tests.support.invariants import DaemonRun, repeats, violations
from tests.support.recording_simulator import RecordingSimulator
from tests.support.servers import Inbox, as_slack, listening
from tests.support.slack import CHANNEL, TOKEN, Bucket, LocalSlack, SlackFault, local_slack
from tests.support.slack_messages import as_received
from watcher.core.event import Event, Kind
from watcher.simulator import serve

MARK = b"may be a repeat"
CLOSES = 2
"""Closed connections to the API and to the webhook at each point, in one round."""
MESSAGES = 2
"""Messages to each of the two Slack receivers, in one round."""
LOST = (SlackFault.LATE_RESET, None, SlackFault.EARLY_RESET, None, None)
"""The bot's posts in turn: some end without an answer, so that it looks them up."""


BOT = f"""
[receiver.bot]
kind = "slack"
token = {{ env = "SLACK_TOKEN" }}
channel = "{CHANNEL}"
api_url = "URL"

[[route]]
match = {{ kind = "failed" }}
to = ["chat", "bot"]

[[route]]
to = []
"""


def receivers_of(event: Event) -> frozenset[str]:
    return frozenset({"hook", "chat", "bot"} if event.kind is Kind.FAILED else {"hook"})


def slack_that_loses_answers() -> LocalSlack:
    faults = cycle(LOST)
    # The test is not about the pace of lookups.
    return LocalSlack(fault=lambda _: next(faults), tier=Bucket(1e9, 1.0))


async def test_r42_peers_that_close_idle_connections_cost_no_poll_and_neither_mark_nor_double_a_message(
    tmp_path: Path,
) -> None:
    api, draw = RecordingSimulator(), random.Random(42)  # noqa: S311 - test data
    slack = slack_that_loses_answers()
    for service in SERVICES:
        api.set_training(service, "pop", "v0", "requesting")
    async with (
        serve(api) as simulator,
        listening(Inbox()) as hook,
        listening(Inbox(as_slack)) as chat,
        local_slack(slack),
        closing_peer(simulator.base_url, draw) as to_api,
        closing_peer(hook.url, draw) as to_hook,
        closing_peer(chat.url, draw) as to_chat,
        closing_peer(slack.url, draw) as to_bot,
    ):
        text = daemon_in_process.settings(to_api.url, list(SERVICES), {"hook": to_hook.url})
        # A busy machine must not fail a poll by its deadline.
        text = text.replace('timeout = "2s"', 'timeout = "60s"')
        text = text.replace('to = ["hook"]', 'continue = true\nto = ["hook"]')
        text += daemon_in_process.SLACK.format(name="chat")
        text += BOT.replace("URL", to_bot.url)
        started_at = datetime.now(UTC)
        with capture_logs() as logs:
            environ = {"SLACK_URL": to_chat.url, "SLACK_TOKEN": TOKEN}
            async with daemon_in_process.running(tmp_path, text, environ):
                async with changes_under_way(api, 42):
                    for number in range(1, 1 + rounds(few=1, full=60)):
                        await daemon_in_process.eventually(
                            lambda number=number: (  # type: ignore[misc]
                                min(*to_api.closed.values(), *to_hook.closed.values()) >= CLOSES * number
                                and min(len(chat.received), len(slack.messages)) >= MESSAGES * number
                            ),
                            300,
                        )
                await wait_until_settled(tmp_path, api)
        life = DaemonRun(started_at, datetime.now(UTC))
    assert [entry for entry in logs if entry["event"] == "poll.failed"] == []
    assert not any(MARK in item.body for item in chat.received)
    assert not any(MARK.decode() in message["text"] for message in slack.messages)
    received = {"hook": hook.received, "bot": as_received(slack, "bot", daemon_in_process.history(tmp_path))}
    assert [repeats(items) for items in received.values()] == [0, 0]
    evidence = daemon_in_process.evidence(tmp_path, api.shown, [life], received)
    assert violations(replace(evidence, routed=receivers_of)) == []
    failed = [announced.event for announced in evidence.announced if announced.event.kind is Kind.FAILED]
    assert len(failed) > 0
    assert slack.calls["conversations.history"] > 0
    remark(
        f"{len(chat.received)} messages by a webhook of Slack, {len(slack.messages)} by a bot, "
        f"{slack.refused.total()} of its answers lost, {slack.calls['conversations.history']} lookups"
    )
