"""The installed daemon, killed again and again just when it sends to Slack: one message in effect each."""

from __future__ import annotations

import asyncio
import os
import random
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest

from tests.support import house
from tests.support.slack import CHANNEL, TOKEN, Fault, LocalSlack, local_slack
from tests.support.witness import Witness
from watcher.core.delivery import OPEN_STATES, State
from watcher.simulator import serve
from watcher.store.views import open_views

ROUNDS: Final = int(os.environ.get("SLACK_KILLS", "12"))
"""So many kills; the promise was shown with 100, see docs/slack.md."""
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
    api: Witness
    draw: random.Random
    post: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when a post has arrived whole and nothing was done about it yet."""
    places: Counter[str] = field(default_factory=Counter)

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

    def open_deliveries(self) -> int:
        """Return how many deliveries wait."""
        with open_views(self.folder / "watcher.db") as views:
            return sum(queue.count for queue in views.queues() if queue.state in OPEN_STATES)


@asynccontextmanager
async def daemon(folder: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run the command as a process of its own; kill it at the end of the block if it still lives."""
    with (folder / "daemon.log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "watcher", "run", "--config", str(folder / "config.toml")),
            stdout=log,
            stderr=log,
            env={**os.environ, **house.ENVIRON, "SLACK_TOKEN": TOKEN},
        )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def one_round(trial: Trial) -> bool:
    """Change something, and kill the daemon around the moment when it tells of it; say whether it was sending."""
    trial.post.clear()
    async with daemon(trial.folder):
        trial.change()
        with suppress(TimeoutError):
            async with asyncio.timeout(15):
                await trial.post.wait()
        # Before Slack keeps it, between that and the answer, or when the answer is just being taken in.
        await asyncio.sleep(trial.draw.uniform(0.0, 0.25))
    return trial.post.is_set()


def assert_one_message_in_effect_each(folder: Path, slack: LocalSlack) -> int:
    told = house.history(folder)
    handovers = [(item.event.id, handover) for item in told for handover in item.handovers]
    assert {handover.state for _, handover in handovers} == {State.DELIVERED}
    due = {handover.delivery_id for _, handover in handovers}
    arrived = Counter(slack.delivery_ids())
    assert [identity for identity, count in arrived.items() if count > 1] == [], "doubles"
    assert due - arrived.keys() == set(), "lost"
    assert arrived.keys() - due == set(), "invented"
    return len(due)


def assert_in_order(folder: Path, slack: LocalSlack) -> None:
    """The first message about a change of a training comes after those about its earlier ones."""
    order = {item.event.id: (item.event.subject, item.event.seq) for item in house.history(folder)}
    latest: dict[str, int] = {}
    for message in slack.messages:
        for identity in message["metadata"]["event_payload"]["event_ids"].split():
            subject, seq = order[identity]
            assert seq > latest.get(subject, 0), f"{subject}: {seq} after {latest[subject]}"
            latest[subject] = seq


@pytest.mark.slow
async def test_kills_around_sends_leave_one_message_in_effect_each(tmp_path: Path) -> None:
    trial = Trial(tmp_path, Witness(), random.Random(20261125))  # noqa: S311 - the moments of the kills
    slack = LocalSlack(fault=trial.fault, arrived=trial.post.set, delays=trial.delays)
    for version in range(VERSIONS):
        trial.api.set_training(SERVICE, "pop", f"v{version}", LIFE[0])
    async with serve(trial.api) as simulator, local_slack(slack):
        text = house.settings(simulator.base_url, [SERVICE], {}).partition("[[route]]")[0]
        (tmp_path / "config.toml").write_text(text + BOT.replace("URL", slack.url))
        async with daemon(tmp_path):
            await house.eventually(lambda: len(trial.api.shown) > 2 * VERSIONS)
        sending = [await one_round(trial) for _ in range(ROUNDS)]
        slack.fault = lambda _: None
        async with daemon(tmp_path) as last:
            seen = len(trial.api.shown)
            await house.eventually(lambda: len(trial.api.shown) > seen + 3 * VERSIONS)
            await house.eventually(lambda: trial.open_deliveries() == 0, 300)
            last.terminate()
            assert await last.wait() == 0
    messages = assert_one_message_in_effect_each(tmp_path, slack)
    assert_in_order(tmp_path, slack)
    assert slack.too_fast == 0, "faster than one a second"
    assert sum(sending) > ROUNDS / 2, "kills that hit no sending show nothing"
    found = sum(handover.reason == "found" for item in house.history(tmp_path) for handover in item.handovers)
    print(
        f"\n{ROUNDS} kills, {sum(sending)} while sending, {messages} messages, {found} found in the history, "
        f"{slack.calls['chat.postMessage']} posts, {slack.calls['conversations.history']} looks; faults {slack.refused}"
    )
