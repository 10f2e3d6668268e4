"""The installed daemon, killed many times during sends to Slack: each message arrives once in effect."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tests.slow.acceptance.test_kill import daemon
from tests.support import daemon_in_process
from tests.support.changing_trainings import all_delivered
from tests.support.fault_table import remark, rounds
from tests.support.invariants import DaemonRun, repeats, violations
from tests.support.recording_simulator import RecordingSimulator
from tests.support.slack import CHANNEL, TOKEN, LocalSlack, SlackFault, local_slack
from tests.support.slack_messages import as_received
from watcher.core.delivery.reason import ReasonCode
from watcher.core.delivery.state import State
from watcher.simulator import serve

SERVICE: Final = "6wxgu1abcde"
VERSIONS: Final = 6
LIFE: Final = ("requesting", "waiting", "learning", "completed")
BOT: Final = f"""
[receiver.chat]
kind = "slack"
token = {{ env = "SLACK_TOKEN" }}
channel = "{CHANNEL}"
api_url = "URL"

[[route]]
match = {{ kind = "*" }}
to = ["chat"]
"""


@dataclass(slots=True)
class Trial:
    """The surroundings of the daemon: API, Slack's behaviour, and past runs."""

    folder: Path
    api: RecordingSimulator
    draw: random.Random
    post: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when a post has arrived and is not processed yet."""
    steps: Counter[str] = field(default_factory=Counter)
    runs: list[DaemonRun] = field(default_factory=list)

    def change(self) -> None:
        """Move one training to its next status."""
        version = f"v{self.draw.randrange(VERSIONS)}"
        self.steps[version] += 1
        self.api.set_training(SERVICE, "pop", version, LIFE[self.steps[version] % len(LIFE)])

    def delays(self) -> tuple[float, float]:
        """Return Slack's delays before it stores a message, and before it answers."""
        return self.draw.choice((0.0, 0.02, 0.1)), self.draw.choice((0.0, 0.02, 0.1))

    def fault(self, _body: dict[str, Any]) -> str | None:
        """Return a network fault now and then."""
        return self.draw.choice((*[None] * 12, SlackFault.LATE_RESET, SlackFault.EARLY_RESET, SlackFault.LATE_ERROR))

    def running(self) -> AbstractAsyncContextManager[asyncio.subprocess.Process]:
        """Run a daemon; kill it at the end of the block."""
        return daemon(self.folder, self.runs, {"SLACK_TOKEN": TOKEN})


async def one_round(trial: Trial) -> bool:
    """Change a status, kill the daemon around the send, and say whether it was sending."""
    trial.post.clear()
    async with trial.running():
        trial.change()
        with suppress(TimeoutError):
            async with asyncio.timeout(15):
                await trial.post.wait()
        # Before Slack stores the message, before its answer, or while the daemon reads the answer.
        await asyncio.sleep(trial.draw.uniform(0.0, 0.25))
    return trial.post.is_set()


async def test_r1_kills_around_sends_to_a_slack_bot_leave_one_message_in_effect_each(tmp_path: Path) -> None:
    kills = rounds(few=8, full=100)
    trial = Trial(tmp_path, RecordingSimulator(), random.Random(20261125))  # noqa: S311 - the times of the kills
    slack = LocalSlack(fault=trial.fault, arrived=trial.post.set, delays=trial.delays)
    for version in range(VERSIONS):
        trial.api.set_training(SERVICE, "pop", f"v{version}", LIFE[0])
    async with serve(trial.api) as simulator, local_slack(slack):
        text = daemon_in_process.settings(simulator.base_url, [SERVICE], {}).partition("[[route]]")[0]
        (tmp_path / "config.toml").write_text(text + BOT.replace("URL", slack.url))
        async with trial.running():
            await daemon_in_process.eventually(lambda: len(trial.api.shown) > 2 * VERSIONS)
        sending = [await one_round(trial) for _ in range(kills)]
        slack.fault = lambda _: None
        async with trial.running() as last:
            seen = len(trial.api.shown)
            await daemon_in_process.eventually(lambda: len(trial.api.shown) > seen + 3 * VERSIONS)
            await daemon_in_process.eventually(lambda: all_delivered(tmp_path), 300)
            last.terminate()
            assert await last.wait() == 0
    announced = daemon_in_process.history(tmp_path)
    messages = as_received(slack, "chat", announced)
    evidence = daemon_in_process.evidence(tmp_path, trial.api.shown, trial.runs, {"chat": messages})
    assert violations(evidence) == []
    assert {delivery_outcome.state for item in announced for delivery_outcome in item.delivery_outcomes} == {
        State.DELIVERED
    }
    assert repeats(messages) == 0
    assert len(messages) == len(slack.messages), "each message names its delivery"
    assert slack.too_fast == 0, "more than one message a second"
    assert sum(sending) > kills / 2, "kills outside a send prove nothing"
    outcomes = [delivery_outcome for item in announced for delivery_outcome in item.delivery_outcomes]
    found = sum(outcome.reason.code is ReasonCode.FOUND for outcome in outcomes)
    remark(
        f"{sum(sending)} of {kills} kills while a bot was sending, {len(messages)} messages, {found} found in the "
        f"channel, {slack.calls['chat.postMessage']} posts"
    )
