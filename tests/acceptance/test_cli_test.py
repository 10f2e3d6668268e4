"""``test RECEIVER``: a marked alert that leaves no trace."""

from __future__ import annotations

import asyncio
import json

from starlette.responses import PlainTextResponse, Response

from tests.acceptance.cli_support import Workplace
from tests.support.servers import Inbox, Received, as_slack, listening


def refuse(_received: Received) -> Response:
    return PlainTextResponse("go away", 410)


def hook(url: str) -> str:
    return f'[receiver.hook]\nkind = "webhook"\nurl = "{url}"\n'


SLACK = '[receiver.slack]\nkind = "slack-webhook"\nurl = { env = "SLACK_WEBHOOK_URL" }\n'


async def test_a_webhook_gets_one_marked_alert_and_the_store_none(workplace: Workplace) -> None:
    async with listening(Inbox()) as inbox:
        workplace.write(hook(inbox.url))
        shown = await asyncio.to_thread(workplace.command, "test", "hook")
    assert (shown.returncode, shown.stdout) == (0, "receiver hook: delivered\nanswer: 200 ok\n")
    (event,) = inbox.events()
    assert event["service_name"] == "TEST from aitems-watcher"
    assert event["id"].startswith("evt_test")
    assert len(inbox.received) == 1
    assert not (workplace.folder / "watcher.db").exists()


async def test_slack_takes_the_marked_alert(workplace: Workplace) -> None:
    async with listening(Inbox(as_slack)) as inbox:
        workplace.write(SLACK)
        env = {"SLACK_WEBHOOK_URL": inbox.url}
        shown = await asyncio.to_thread(workplace.command, "test", "slack", "--json", env=env)
    assert shown.returncode == 0
    assert json.loads(shown.stdout)["delivered"] is True
    assert "TEST from aitems-watcher" in inbox.received[0].json["text"]


async def test_a_refusal_is_shown_with_the_other_sides_answer(workplace: Workplace) -> None:
    async with listening(Inbox(refuse)) as inbox:
        workplace.write(hook(inbox.url))
        shown = await asyncio.to_thread(workplace.command, "test", "hook")
    assert shown.returncode == 1
    assert "receiver hook: refused: http 410" in shown.stdout
    assert "answer: 410 go away\n" in shown.stdout


def test_a_receiver_that_does_not_exist_is_wrong_usage(workplace: Workplace) -> None:
    refused = workplace.command("test", "hoook")
    assert refused.returncode == 2
    assert "there is no [receiver.hoook]; known are console" in refused.stderr


def test_a_secret_that_cannot_be_had_is_named(workplace: Workplace) -> None:
    workplace.write(SLACK)
    refused = workplace.command("test", "slack")
    assert refused.returncode == 78
    assert "SLACK_WEBHOOK_URL is not set" in refused.stderr
