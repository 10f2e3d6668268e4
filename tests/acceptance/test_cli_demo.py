"""``demo``: alerts within seconds, on the console and elsewhere."""

from __future__ import annotations

import asyncio
import re
import signal

from tests.acceptance.cli_support import command, read_until, started, stopped
from tests.support.servers import Inbox, as_slack, listening


async def test_it_shows_alerts_tells_others_and_ends_by_itself() -> None:
    async with listening(Inbox(as_slack)) as slack:
        # In the demo's world, 24 s pass until the first alert that goes elsewhere.
        args = ("demo", "--for", "28s", "--to-slack", slack.url, "--to-webhook", "http://127.0.0.1:1/hook")
        shown = await asyncio.to_thread(command, *args)
    lines = shown.stdout.splitlines()
    assert "demo" in lines[0]
    assert "Ctrl-C ends it" in lines[0]
    assert any("New training: DEMO shop-main" in line for line in lines)
    assert any("Training completed: DEMO shop-main" in line for line in lines)
    assert re.fullmatch(r"\d+ alerts: .*\b1 succeeded", lines[-2])
    assert "\x1b" not in shown.stdout
    assert shown.stderr == ""
    assert ["DEMO shop-main" in received.json["text"] for received in slack.received] == [True]
    assert (shown.returncode, lines[-1]) == (1, "webhook: 1 not delivered: not sent: connect")


def test_ctrl_c_ends_it_well() -> None:
    with started("demo") as process:
        lines = read_until(process, "The first look")
        status, rest = stopped(process, signal.SIGINT)
    assert status == 0
    assert rest.splitlines()[-1] == "no alerts: nothing changed meanwhile"
    assert len(lines) == 4


def test_an_address_that_is_none_is_wrong_usage() -> None:
    refused = command("demo", "--to-slack", "hooks.slack.com/services/T/B/x")
    assert refused.returncode == 2
    assert "--to-slack" in refused.stderr
