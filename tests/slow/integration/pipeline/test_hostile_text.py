"""R28: hostile statuses from the API arrive in Slack and at a webhook as text, each event once."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from tests.support import daemon_in_process
from tests.support.fault_table import rounds
from tests.support.invariants import DaemonRun, violations
from tests.support.recording_simulator import RecordingSimulator
from tests.support.servers import Inbox, listening
from tests.support.slack import CHANNEL, TOKEN, Bucket, LocalSlack, local_slack
from tests.unit.receivers.samples import HOSTILE
from watcher.simulator import serve

SERVICE = "6wxgu1abcde"
STATUSES = tuple(text for text in HOSTILE if text.strip() and not {"\ud800", "\x00"} & {*text} and len(text) <= 256)
"""Hostile texts that are valid in JSON and count as a status."""
MARKUP = (b"<!channel", b"<!everyone", b"<@U123>", b"<https://evil.example")


def configuration(base_url: str, hook: str, slack: LocalSlack) -> str:
    text = daemon_in_process.settings(base_url, [SERVICE], {"hook": hook}).replace(
        'to = ["hook"]', 'to = ["hook", "chat"]'
    )
    bot = f'[receiver.chat]\nkind = "slack"\ntoken = {{ env = "SLACK_TOKEN" }}\nchannel = "{CHANNEL}"\n'
    return f'{text}\n{bot}api_url = "{slack.url}"\n'


async def test_r28_hostile_statuses_arrive_as_text_and_each_event_once(tmp_path: Path) -> None:
    api, slack = RecordingSimulator(), LocalSlack(pace=Bucket(1_000, 100.0))
    for number in range(len(STATUSES)):
        api.set_training(SERVICE, "pop", f"v{number}", "learning")
    async with serve(api) as simulator, listening(Inbox()) as hook, local_slack(slack):
        started_at = datetime.now(UTC)
        text = configuration(simulator.base_url, hook.url, slack)
        async with daemon_in_process.running(tmp_path, text, {"SLACK_TOKEN": TOKEN}):
            for round_number in range(rounds(few=1, full=5)):
                for number in range(len(STATUSES)):
                    api.set_training(SERVICE, "pop", f"v{number}", STATUSES[(number + round_number) % len(STATUSES)])
                announced = (round_number + 1) * len(STATUSES)
                await daemon_in_process.eventually(
                    lambda announced=announced: len(hook.events()) == announced == len(in_slack(slack)),  # type: ignore[misc]
                    60,
                )
        life = DaemonRun(started_at, datetime.now(UTC))
    evidence = daemon_in_process.evidence(tmp_path, api.shown, [life], {"hook": hook.received})
    assert violations(replace(evidence, routed=lambda _event: frozenset({"hook", "chat"}))) == []
    assert Counter(in_slack(slack)) == Counter(announced.event.id for announced in evidence.announced)
    assert {event["to"] for event in hook.events()} == set(STATUSES)
    assert not slack.refused
    assert [raw for raw in slack.raw for markup in MARKUP if markup in raw] == []


def in_slack(slack: LocalSlack) -> list[str]:
    """Return the id of each event in the channel, with repeats."""
    payloads = [message["metadata"]["event_payload"] for message in slack.messages]
    return [event for payload in payloads for event in payload["event_ids"].split()]
