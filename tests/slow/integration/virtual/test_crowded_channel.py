"""R36 and R38: a Slack channel that gets more than it takes, and that refuses one message in ten."""

from __future__ import annotations

import random
import re
from asyncio import sleep
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest

from tests.support.fault_table import TALLY
from tests.support.virtual import FakeReceiver, VirtualClock, run
from tests.support.virtual_delivery import running_deliveries
from tests.support.virtual_slack import VirtualSlack, shown
from watcher.core.event import Kind

TEAM: Final = "<!subteam^S0123456789>"
MINUTE: Final = 60.0
SOON: Final = 10.0
"""No message may be later than that in a channel that refuses some messages."""


def failures_of_a_minute(seed: int) -> list[list[str]]:
    """Return the trainings that fail, as answers of any size name them."""
    draw = random.Random(seed)  # noqa: S311 - the sizes of the answers
    names = [f"f{number:04}" for number in range(1000 if TALLY.full else 150)]
    answers = []
    while names:
        size = draw.choice((1, 2, 3, 10, 60))
        answers.append(names[:size])
        names = names[size:]
    return answers


@pytest.mark.parametrize("kind", ["bot", "webhook"])
@pytest.mark.parametrize("seconds", [0.0, MINUTE - 5])
def test_r36_every_failure_is_named_within_a_minute_in_few_messages_before_other_changes(
    tmp_path: Path, kind: str, seconds: float
) -> None:
    answers = failures_of_a_minute(36)

    async def main(clock: VirtualClock) -> VirtualSlack:
        slack = VirtualSlack(clock)
        receiver = slack.bot() if kind == "bot" else slack.webhook()
        slacks = {"slack": slack} if kind == "bot" else {}
        async with running_deliveries(tmp_path, clock, [receiver], slacks=slacks) as deliveries_run:
            await deliveries_run.record([f"p{number:03}" for number in range(60)])
            for answer in answers:
                await deliveries_run.record(answer, Kind.FAILED)
                await deliveries_run.record([f"p{number:03}" for number in range(len(answer) % 5)])
                await sleep(seconds / len(answers))
            await sleep(2 * MINUTE)
            assert deliveries_run.broken_invariants() == []
        return slack

    slack = run(main)
    texts = [shown(message) for message in slack.messages]
    failures = [name for answer in answers for name in answer]
    named_at = {name: next(place for place, text in enumerate(texts) if name in text) for name in failures}
    last = max(named_at.values())
    assert last < MINUTE
    assert len(texts) < MINUTE
    assert slack.messages[last]["seconds"] <= MINUTE + SOON
    # The title of a message names its only failure again.
    named = [name for text in texts for name in set(re.findall(r"\bf\d{4}\b", text))]
    assert len(named) == len(failures), "each failure is in one message"
    assert not slack.refused
    if not seconds:
        # The first messages were under way before the failures; then nothing else goes before them.
        assert not [text for text in texts[2:last] if re.search(r"\bp\d{3}\b", text)]


REFUSALS: Final[dict[str, tuple[str, Callable[[dict[str, Any]], bool]]]] = {
    "c": ("invalid_blocks", lambda body: "blocks" in body),
    "d": ("metadata_too_large", lambda body: "metadata" in body),
    "m": ("restricted_action", lambda body: TEAM in body["text"]),
}
"""The error about a message that names a training with this initial, for as long as the message has the feature."""


def refuse(body: dict[str, Any]) -> str | None:
    everything = shown(body) + body["text"]
    named = {name[0] for name in re.findall(r"\b[cdm]\d{4}\b", everything)}
    return next((error for initial, (error, has) in REFUSALS.items() if initial in named and has(body)), None)


def test_r38_a_refused_message_arrives_in_a_simpler_form_and_no_other_waits(tmp_path: Path) -> None:
    draw = random.Random(38)  # noqa: S311 - which message is refused
    count = 500 if TALLY.full else 60
    names = [f"{'cdm'[number // 10 % 3] if number % 10 == 7 else 'v'}{number:04}" for number in range(count)]
    recorded: dict[str, float] = {}

    async def main(clock: VirtualClock) -> tuple[VirtualSlack, FakeReceiver]:
        slack = VirtualSlack(clock, fault=refuse, mentions=(TEAM,))
        ops = FakeReceiver(name="ops", pace_key="ops")
        async with running_deliveries(
            tmp_path, clock, [slack.bot(), ops], to=["slack"], mentions=(TEAM,), slacks={"slack": slack}
        ) as deliveries_run:
            for name in names:
                recorded[name] = clock.monotonic()
                await deliveries_run.record([name], draw.choice((Kind.FAILED, Kind.PROGRESS)))
                await sleep(draw.choice((0.0, 0.3, 2.0)))
            await sleep(MINUTE)
            assert deliveries_run.broken_invariants() == []
        return slack, ops

    slack, ops = run(main)
    assert ops.events == [], "the channel does not count as failing"
    assert {name for name, _ in REFUSALS.values()} == set(slack.refused)
    for name in names:
        arrivals = [message["seconds"] for message in slack.messages if name in shown(message)]
        assert len(arrivals) == 1, name
        assert arrivals[0] <= recorded[name] + SOON
