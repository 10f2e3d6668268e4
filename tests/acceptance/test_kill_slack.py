"""The installed daemon, killed again and again just when it sends to Slack: one message in effect each."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest

from tests.acceptance.test_kill import daemon
from tests.support import daemon_in_process
from tests.support.changing_trainings import all_delivered
from tests.support.fault_table import remark, rounds
from tests.support.invariants import Life, repeats, violations
from tests.support.recording_simulator import RecordingSimulator
from tests.support.slack import CHANNEL, TOKEN, Fault, LocalSlack, local_slack
from tests.support.slack_messages import as_received
from watcher.core.delivery.model import State
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
    """What goes on around the daemon."""

    folder: Path
    api: RecordingSimulator
    draw: random.Random
    post: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when a post has arrived whole and nothing was done about it yet."""
    places: Counter[str] = field(default_factory=Counter)
    lives: list[Life] = field(default_factory=list)

    def change(self) -> None:
        """Let one training go on in its life."""
        version = f"v{self.draw.randrange(VERSIONS)}"
        self.places[version] += 1
        self.api.set_training(SERVICE, "pop", version, LIFE[self.places[version] % len(LIFE)])

    def delays(self) -> tuple[float, float]:
        """Let Slack take its time before it keeps a message, and before it says so."""
        return self.draw.choice((0.0, 0.02, 0.1)), self.draw.choice((0.0, 0.02, 0.1))

    def fault(self, _body: dict[str, Any]) -> str | None:
        """Let now and then the network fail too."""
        return self.draw.choice((*[None] * 12, Fault.LATE_RESET, Fault.EARLY_RESET, Fault.LATE_ERROR))

    def living(self) -> AbstractAsyncContextManager[asyncio.subprocess.Process]:
        """Let a daemon live; it is killed at the end of the block."""
        return daemon(self.folder, self.lives, {"SLACK_TOKEN": TOKEN})


async def one_round(trial: Trial) -> bool:
    """Change something, and kill the daemon around the moment when it tells of it; say whether it was sending."""
    trial.post.clear()
    async with trial.living():
        trial.change()
        with suppress(TimeoutError):
            async with asyncio.timeout(15):
                await trial.post.wait()
        # Before Slack keeps it, between that and the answer, or when the answer is just being taken in.
        await asyncio.sleep(trial.draw.uniform(0.0, 0.25))
    return trial.post.is_set()


@pytest.mark.slow
async def test_r1_kills_around_sends_to_a_slack_bot_leave_one_message_in_effect_each(tmp_path: Path) -> None:
    kills = rounds(few=12, full=100)
    trial = Trial(tmp_path, RecordingSimulator(), random.Random(20261125))  # noqa: S311 - the moments of the kills
    slack = LocalSlack(fault=trial.fault, arrived=trial.post.set, delays=trial.delays)
    for version in range(VERSIONS):
        trial.api.set_training(SERVICE, "pop", f"v{version}", LIFE[0])
    async with serve(trial.api) as simulator, local_slack(slack):
        text = daemon_in_process.settings(simulator.base_url, [SERVICE], {}).partition("[[route]]")[0]
        (tmp_path / "config.toml").write_text(text + BOT.replace("URL", slack.url))
        async with trial.living():
            await daemon_in_process.eventually(lambda: len(trial.api.shown) > 2 * VERSIONS)
        sending = [await one_round(trial) for _ in range(kills)]
        slack.fault = lambda _: None
        async with trial.living() as last:
            seen = len(trial.api.shown)
            await daemon_in_process.eventually(lambda: len(trial.api.shown) > seen + 3 * VERSIONS)
            await daemon_in_process.eventually(lambda: all_delivered(tmp_path), 300)
            last.terminate()
            assert await last.wait() == 0
    announced = daemon_in_process.history(tmp_path)
    messages = as_received(slack, "chat", announced)
    evidence = daemon_in_process.evidence(tmp_path, trial.api.shown, trial.lives, {"chat": messages})
    assert violations(evidence) == []
    assert {delivery_outcome.state for item in announced for delivery_outcome in item.delivery_outcomes} == {
        State.DELIVERED
    }
    assert repeats(messages) == 0
    assert len(messages) == len(slack.messages), "each message says of what it is"
    assert slack.too_fast == 0, "faster than one a second"
    assert sum(sending) > kills / 2, "kills that hit no sending show nothing"
    found = sum(delivery_outcome.reason == "found" for item in announced for delivery_outcome in item.delivery_outcomes)
    remark(
        f"{sum(sending)} of {kills} kills while a bot was sending, {len(messages)} messages, {found} found in the "
        f"channel, {slack.calls['chat.postMessage']} posts"
    )
