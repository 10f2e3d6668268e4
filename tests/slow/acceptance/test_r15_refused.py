"""R15: a receiver that fails permanently, with the real daemon, local servers and the command."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import pytest
from starlette.responses import PlainTextResponse, Response

from tests.acceptance.cli_support import command
from tests.slow.acceptance.test_kill import daemon
from tests.support import daemon_in_process
from tests.support.changing_trainings import all_delivered
from tests.support.invariants import DaemonRun, repeats, violations
from tests.support.recording_simulator import RecordingSimulator
from tests.support.servers import Inbox, Received, listening
from tests.support.slack import CHANNEL, TOKEN, LocalSlack, local_slack
from tests.support.slack_messages import as_received
from watcher.core.delivery.model import TRIES
from watcher.core.event import Event
from watcher.simulator import serve

SERVICE: Final = "6wxgu1abcde"
VERSIONS: Final = ("v1", "v2", "v3", "v4", "v5", "v6")
EXPIRES_AFTER: Final = "4s"
AT_FIRST: Final = TRIES * len(VERSIONS)
"""The most attempts at a webhook before its failure is known; a Slack error is known at once."""
DAEMON: Final = {"SLACK_TOKEN": TOKEN}
ROUTES: Final = """
[receiver.ops]
kind = "webhook"
url = "{ops}"

[[route]]
match = {{ kind = ["receiver-failing", "receiver-recovered", "undelivered"] }}
to = ["ops"]

[[route]]
match = {{ kind = "*" }}
to = ["gone"]
"""
WEBHOOK: Final = '[receiver.gone]\nkind = "webhook"\nurl = "{url}"\n'
BOT: Final = f"""
[receiver.gone]
kind = "slack"
token = {{{{ env = "SLACK_TOKEN" }}}}
channel = "{CHANNEL}"
api_url = "{{url}}"
"""


@dataclass(slots=True)
class Gone:
    """A receiver that refuses until it is repaired."""

    attempts: list[str] = field(default_factory=list)
    """The ids of attempted deliveries."""
    fix: Callable[[], None] = lambda: None
    settings: str = ""
    arrived: Callable[[Path], list[Received]] = lambda _: []


@asynccontextmanager
async def webhook_that_is_gone() -> AsyncIterator[Gone]:
    gone, accepted, recovered = Gone(), list[Received](), asyncio.Event()

    def answer(item: Received) -> Response:
        gone.attempts.append(item.webhook_id)
        if not recovered.is_set():
            return PlainTextResponse("no more", 410)
        accepted.append(item)
        return PlainTextResponse("ok")

    async with listening(Inbox(script=answer)) as inbox:
        gone.fix, gone.arrived = recovered.set, lambda _: accepted
        gone.settings = WEBHOOK.format(url=inbox.url)
        yield gone


@asynccontextmanager
async def channel_that_refuses(word: str) -> AsyncIterator[Gone]:
    gone = Gone()

    def refuse(body: dict[str, Any]) -> str:
        gone.attempts.append(body["metadata"]["event_payload"]["delivery_id"])
        return word

    slack = LocalSlack(fault=refuse)

    def fix() -> None:
        slack.fault = lambda _: None

    async with local_slack(slack):
        gone.fix, gone.settings = fix, BOT.format(url=slack.url)
        gone.arrived = lambda folder: as_received(slack, "gone", daemon_in_process.history(folder))
        yield gone


FAILURES: Final[Mapping[str, Callable[[], AbstractAsyncContextManager[Gone]]]] = {
    "410": webhook_that_is_gone,
    "channel_not_found": lambda: channel_that_refuses("channel_not_found"),
    "token_revoked": lambda: channel_that_refuses("token_revoked"),
    "is_archived": lambda: channel_that_refuses("is_archived"),
}
WAYS: Final = ("beside the daemon", "without a daemon")
CASES: Final = [
    pytest.param(failure, way, marks=() if place == number else pytest.mark.torture)
    for place, failure in enumerate(FAILURES)
    for number, way in enumerate(WAYS)
]


async def deliveries(folder: Path, *args: str) -> list[Any]:
    """Run the command ``deliveries``; return its JSON."""
    done = await asyncio.to_thread(
        command, "deliveries", *args, "--json", "--config", folder / "config.toml", env=daemon_in_process.ENVIRON
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()] if args[0] == "list" else [json.loads(done.stdout)]


def kinds(ops: Inbox) -> list[str]:
    return [event["kind"] for event in ops.events()]


def receivers_of(event: Event) -> frozenset[str]:
    return frozenset({"ops" if event.receiver is not None else "gone"})


@pytest.mark.parametrize(("failure", "way"), CASES)
async def test_r15_dead_letters_of_a_failing_receiver_are_announced_listed_and_can_be_retried(
    tmp_path: Path, failure: str, way: str
) -> None:
    api, runs = RecordingSimulator(), list[DaemonRun]()
    for version in VERSIONS:
        api.set_training(SERVICE, "pop", version, "requesting")
    async with serve(api) as simulator, listening(Inbox()) as ops, FAILURES[failure]() as gone:
        text = daemon_in_process.settings(simulator.base_url, [SERVICE], {}).partition("[[route]]")[0] + gone.settings
        text = text.replace("[delivery]", f'[delivery]\ngive_up_after = "{EXPIRES_AFTER}"')
        (tmp_path / "config.toml").write_text(text + ROUTES.format(ops=ops.url))
        async with daemon(tmp_path, runs, DAEMON) as process:
            await daemon_in_process.eventually(lambda: len(api.shown) > 3 * len(VERSIONS), 60)
            for version in VERSIONS:
                api.set_training(SERVICE, "pop", version, "waiting")
            await daemon_in_process.eventually(lambda: kinds(ops) == ["receiver-failing"])
            assert len(gone.attempts) <= AT_FIRST
            await daemon_in_process.eventually(lambda: "undelivered" in kinds(ops), 60)
            await daemon_in_process.eventually(lambda: all_delivered(tmp_path), 60)
            # The oldest delivery is attempted again when it or another one expires.
            tried = len(gone.attempts)
            assert tried <= AT_FIRST + len(VERSIONS)
            dead = await deliveries(tmp_path, "list", "--receiver", "gone")
            assert {item["state"] for item in dead} == {"dead"}
            # What waits for a channel of Slack is joined, so a delivery may have several events.
            assert len({event for item in dead for event in item["event_ids"]}) == len(VERSIONS)
            assert all(failure in item["reason"] for item in dead)
            await asyncio.sleep(2)
            assert len(gone.attempts) == tried, "a dead letter is not attempted again"
            facts = ops.events()[-1]["receiver"]
            which = "--all-dead --receiver gone" if len(dead) > 1 else dead[0]["id"]
            assert facts["remedy"].endswith(f"aitems-watcher deliveries retry {which}"), facts
            gone.fix()
            if way == WAYS[0]:
                await deliveries(tmp_path, "retry", "--all-dead", "--receiver", "gone")
                await wait_for_recovery(tmp_path, api, ops)
            process.terminate()
            assert await process.wait() == 0
        if way == WAYS[1]:
            await deliveries(tmp_path, "retry", "--all-dead", "--receiver", "gone")
            async with daemon(tmp_path, runs, DAEMON) as process:
                await wait_for_recovery(tmp_path, api, ops)
                process.terminate()
                assert await process.wait() == 0
        assert await deliveries(tmp_path, "list") == []
        check_invariants(tmp_path, api, runs, {"gone": gone.arrived(tmp_path), "ops": ops.received})


async def wait_for_recovery(folder: Path, api: RecordingSimulator, ops: Inbox) -> None:
    """Wait until the dead letters and further changes are delivered."""
    await daemon_in_process.eventually(lambda: "receiver-recovered" in kinds(ops), 60)
    await daemon_in_process.eventually(lambda: all_delivered(folder), 60)
    for version in VERSIONS[:3]:
        api.set_training(SERVICE, "pop", version, "learning")
    shown = len(api.shown)
    await daemon_in_process.eventually(lambda: len(api.shown) > shown + 3 * len(VERSIONS), 60)
    await daemon_in_process.eventually(lambda: all_delivered(folder), 60)


def check_invariants(
    folder: Path, api: RecordingSimulator, runs: list[DaemonRun], received: dict[str, list[Received]]
) -> None:
    evidence = replace(daemon_in_process.evidence(folder, api.shown, runs, received), routed=receivers_of)
    assert violations(evidence) == []
    assert sum(map(repeats, received.values())) == 0
    moves = [data["id"] for item in received["gone"] for data in item.events]
    assert len(moves) == len(set(moves)) == len(VERSIONS) + 3
