"""R15: a receiver that refuses for good, in each of its ways: the real daemon, real servers, the command."""

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
from tests.acceptance.test_kill import daemon
from tests.support import daemon_in_process
from tests.support.changing_trainings import all_delivered
from tests.support.invariants import Life, repeats, violations
from tests.support.recording_simulator import RecordingSimulator
from tests.support.servers import Inbox, Received, listening
from tests.support.slack import CHANNEL, TOKEN, LocalSlack, local_slack
from tests.support.slack_messages import as_received
from watcher.core.event import Event
from watcher.simulator import serve

pytestmark = pytest.mark.slow

SERVICE: Final = "6wxgu1abcde"
VERSIONS: Final = ("v1", "v2", "v3", "v4", "v5", "v6")
GIVE_UP: Final = "4s"
AT_FIRST: Final = 4
"""So many attempts are under way at once where a receiver has no pace; then it is known."""
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
    """A receiver that refuses until it is mended."""

    attempts: list[str] = field(default_factory=list)
    """What was tried, by its text."""
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


FACES: Final[Mapping[str, Callable[[], AbstractAsyncContextManager[Gone]]]] = {
    "410": webhook_that_is_gone,
    "channel_not_found": lambda: channel_that_refuses("channel_not_found"),
    "token_revoked": lambda: channel_that_refuses("token_revoked"),
    "is_archived": lambda: channel_that_refuses("is_archived"),
}
WAYS: Final = ("beside the daemon", "without a daemon")
CASES: Final = [
    pytest.param(health_endpoints, way, marks=() if place % 2 == number else pytest.mark.torture)
    for place, health_endpoints in enumerate(FACES)
    for number, way in enumerate(WAYS)
]


async def asked(folder: Path, *args: str) -> list[Any]:
    """Run ``deliveries`` with these arguments; return what it printed."""
    done = await asyncio.to_thread(
        command, "deliveries", *args, "--json", "--config", folder / "config.toml", env=daemon_in_process.ENVIRON
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()] if args[0] == "list" else [json.loads(done.stdout)]


def kinds(ops: Inbox) -> list[str]:
    return [event["kind"] for event in ops.events()]


def receivers_of(event: Event) -> frozenset[str]:
    return frozenset({"ops" if event.receiver is not None else "gone"})


@pytest.mark.parametrize(("health_endpoints", "way"), CASES)
async def test_r15_what_refuses_permanently_is_a_dead_letter_that_is_announced_listed_and_retried_by_a_command(
    tmp_path: Path, health_endpoints: str, way: str
) -> None:
    api, lives = RecordingSimulator(), list[Life]()
    for version in VERSIONS:
        api.set_training(SERVICE, "pop", version, "requesting")
    async with serve(api) as simulator, listening(Inbox()) as ops, FACES[health_endpoints]() as gone:
        text = daemon_in_process.settings(simulator.base_url, [SERVICE], {}).partition("[[route]]")[0] + gone.settings
        text = text.replace("[delivery]", f'[delivery]\ngive_up_after = "{GIVE_UP}"')
        (tmp_path / "config.toml").write_text(text + ROUTES.format(ops=ops.url))
        async with daemon(tmp_path, lives, DAEMON) as process:
            await daemon_in_process.eventually(lambda: len(api.shown) > 3 * len(VERSIONS), 60)
            for version in VERSIONS:
                api.set_training(SERVICE, "pop", version, "waiting")
            await daemon_in_process.eventually(lambda: kinds(ops) == ["receiver-failing"])
            assert len(gone.attempts) <= AT_FIRST
            await daemon_in_process.eventually(lambda: "undelivered" in kinds(ops), 60)
            await daemon_in_process.eventually(lambda: all_delivered(tmp_path), 60)
            # The oldest is tried once more at the end of its time, and while the others come to theirs.
            tried = len(gone.attempts)
            assert tried <= AT_FIRST + len(VERSIONS)
            dead = await asked(tmp_path, "list", "--receiver", "gone")
            assert [item["state"] for item in dead] == ["dead"] * len(VERSIONS)
            assert all(health_endpoints in item["reason"] for item in dead)
            await asyncio.sleep(2)
            assert len(gone.attempts) == tried, "what is dead is tried no more"
            facts = ops.events()[-1]["receiver"]
            assert facts["remedy"].endswith("aitems-watcher deliveries retry --all-dead --receiver gone"), facts
            gone.fix()
            if way == WAYS[0]:
                await asked(tmp_path, "retry", "--all-dead", "--receiver", "gone")
                await announced_on(tmp_path, api, ops)
            process.terminate()
            assert await process.wait() == 0
        if way == WAYS[1]:
            await asked(tmp_path, "retry", "--all-dead", "--receiver", "gone")
            async with daemon(tmp_path, lives, DAEMON) as process:
                await announced_on(tmp_path, api, ops)
                process.terminate()
                assert await process.wait() == 0
        assert await asked(tmp_path, "list") == []
        judge(tmp_path, api, lives, {"gone": gone.arrived(tmp_path), "ops": ops.received})


async def announced_on(folder: Path, api: RecordingSimulator, ops: Inbox) -> None:
    """Wait until what was dead is delivered; what changes then is told like everything else."""
    await daemon_in_process.eventually(lambda: "receiver-recovered" in kinds(ops), 60)
    await daemon_in_process.eventually(lambda: all_delivered(folder), 60)
    for version in VERSIONS[:3]:
        api.set_training(SERVICE, "pop", version, "learning")
    shown = len(api.shown)
    await daemon_in_process.eventually(lambda: len(api.shown) > shown + 3 * len(VERSIONS), 60)
    await daemon_in_process.eventually(lambda: all_delivered(folder), 60)


def judge(folder: Path, api: RecordingSimulator, lives: list[Life], received: dict[str, list[Received]]) -> None:
    evidence = replace(daemon_in_process.evidence(folder, api.shown, lives, received), routed=receivers_of)
    assert violations(evidence) == []
    assert sum(map(repeats, received.values())) == 0
    moves = [data["id"] for item in received["gone"] for data in item.events]
    assert len(moves) == len(set(moves)) == len(VERSIONS) + 3
