"""``test``: one marked alert, and no trace in the store."""

from __future__ import annotations

import asyncio
import json

import pytest
from starlette.responses import PlainTextResponse, Response

from tests.acceptance.cli_support import Workplace
from tests.support.servers import Inbox, Received, as_slack, listening
from tests.support.slack import CHANNEL, SCOPES, TOKEN, LocalSlack, local_slack


def refuse(_received: Received) -> Response:
    return PlainTextResponse("go away", 410)


def hook(url: str) -> str:
    return f'[receiver.hook]\nkind = "webhook"\nurl = "{url}"\n'


SLACK = '[receiver.slack]\nkind = "slack-webhook"\nurl = { env = "SLACK_WEBHOOK_URL" }\n'


async def test_a_webhook_gets_one_marked_alert_and_no_store_is_made(workplace: Workplace) -> None:
    async with listening(Inbox()) as inbox:
        workplace.write(hook(inbox.url))
        shown = await asyncio.to_thread(workplace.command, "test", "hook")
    assert (shown.returncode, shown.stdout) == (0, "receiver hook: delivered\nanswer: 200 ok\n")
    (event,) = inbox.events()
    assert event["service_name"] == "TEST from aitems-watcher"
    assert event["id"].startswith("evt_test")
    assert len(inbox.received) == 1
    assert not (workplace.folder / "watcher.db").exists()


@pytest.mark.smoke
async def test_slack_accepts_the_marked_alert(workplace: Workplace) -> None:
    async with listening(Inbox(as_slack)) as inbox:
        workplace.write(SLACK)
        env = {"SLACK_WEBHOOK_URL": inbox.url}
        shown = await asyncio.to_thread(workplace.command, "test", "slack", "--json", env=env)
    assert shown.returncode == 0
    assert json.loads(shown.stdout)["delivered"] is True
    assert "Test alert" in inbox.received[0].json["text"]


async def test_a_refusal_is_shown_with_the_answer(workplace: Workplace) -> None:
    async with listening(Inbox(refuse)) as inbox:
        workplace.write(hook(inbox.url))
        shown = await asyncio.to_thread(workplace.command, "test", "hook")
    assert shown.returncode == 1
    assert "receiver hook: refused: http 410" in shown.stdout
    assert "answer: 410 go away\n" in shown.stdout


def test_an_unknown_receiver_is_wrong_usage(workplace: Workplace) -> None:
    refused = workplace.command("test", "hoook")
    assert refused.returncode == 2
    assert "there is no [receiver.hoook]; there are: console" in refused.stderr


def test_a_missing_secret_is_named(workplace: Workplace) -> None:
    workplace.write(SLACK)
    refused = workplace.command("test", "slack")
    assert refused.returncode == 78
    assert "SLACK_WEBHOOK_URL is not set" in refused.stderr


def bot(slack: LocalSlack) -> str:
    token = 'token = { env = "SLACK_TOKEN" }'
    return f'[receiver.bot]\nkind = "slack"\n{token}\nchannel = "{CHANNEL}"\napi_url = "{slack.url}"\n'


async def test_a_bot_shows_slacks_answer_and_its_scopes(workplace: Workplace) -> None:
    async with local_slack(LocalSlack()) as slack:
        workplace.write(bot(slack))
        env = {"SLACK_TOKEN": TOKEN}
        shown = await asyncio.to_thread(workplace.command, "test", "bot", env=env)
        as_json = await asyncio.to_thread(workplace.command, "test", "bot", "--json", env=env)
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.startswith('receiver bot: delivered\nanswer: 200 {"ok": true')
    assert "token: aitems in Tests, scopes channels:history, chat:write\n" in shown.stdout
    assert "channel: its history is readable: each message arrives once\n" in shown.stdout
    assert json.loads(as_json.stdout)["slack"]["history_unreadable"] is None
    assert "Test alert" in slack.texts[0]
    assert TOKEN not in shown.stdout + shown.stderr + as_json.stdout


async def test_r21_a_wrong_token_is_reported_and_never_shown(workplace: Workplace) -> None:
    wrong = "xoxb-0000000000-thisisawrongtoken"
    async with local_slack(LocalSlack()) as slack:
        workplace.write(bot(slack))
        shown = await asyncio.to_thread(workplace.command, "test", "bot", "--verbose", env={"SLACK_TOKEN": wrong})
    assert shown.returncode == 1
    assert "receiver bot: refused: invalid_auth: make a new bot token" in shown.stdout
    assert "slack: auth.test: invalid_auth: " in shown.stdout
    assert wrong not in shown.stdout + shown.stderr


async def test_check_online_says_whether_the_history_is_readable(workplace: Workplace) -> None:
    async with local_slack(LocalSlack(scopes=frozenset({"chat:write"}))) as slack:
        workplace.write(bot(slack))
        shown = await asyncio.to_thread(workplace.command, "check", "--online", env={"SLACK_TOKEN": TOKEN})
        slack.scopes = SCOPES
        better = await asyncio.to_thread(workplace.command, "check", "--online", env={"SLACK_TOKEN": TOKEN})
        slack.token = "xoxb-another"
        wrong = await asyncio.to_thread(workplace.command, "check", "--online", env={"SLACK_TOKEN": TOKEN})
    assert "its history is not readable (missing_scope: give the app the scope channels:history" in flat(shown.stdout)
    assert "its history is readable: each message arrives once" in flat(better.stdout)
    assert "auth.test: invalid_auth" in flat(wrong.stdout)
    assert slack.messages == [], "check sends nothing"


def flat(text: str) -> str:
    """Return a table's text as one line: a cell may span several lines."""
    return " ".join(text.split())
