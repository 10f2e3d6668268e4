"""``README.md`` shows a real alert, a valid configuration and the current commands."""

from __future__ import annotations

import re
from pathlib import Path
from zoneinfo import ZoneInfo

from tests.support.paths import ROOT
from tests.unit.receivers.samples import CASES
from watcher.cli.app import app
from watcher.config import load
from watcher.core.messages.message import Style
from watcher.receivers.slack.blocks import payload
from watcher.receivers.slack.layout import TEXT_ONLY

PAGE = (ROOT / "README.md").read_text()


def block(kind: str) -> str:
    """Return the first block of code of a kind."""
    found = re.search(rf"```{kind}\n(.*?)```", PAGE, re.DOTALL)
    assert found is not None
    return found[1]


def plain(text: str) -> str:
    return re.sub(r"<[^|>]+\|([^>]+)>", r"\1", text.replace("`", ""))


def test_the_alert_is_the_message_for_slack() -> None:
    style = Style(zone=ZoneInfo("Asia/Seoul"))
    body = payload([CASES["failed-run"]], TEXT_ONLY, may_be_repeat=False, mentions=("@ml-oncall",), style=style)
    assert block("text") == plain(str(body["text"])) + "\n"


def test_the_ten_lines_are_a_valid_configuration(tmp_path: Path) -> None:
    text = block("toml")
    assert len([line for line in text.splitlines() if line]) <= 10
    config = load(tmp_path / "config.toml", text=text)
    assert set(config.receivers) == {"ml-ops"}


def test_the_table_has_every_command_and_no_other() -> None:
    names = {name for row in re.findall(r"^\| (`.*?) \|", PAGE, re.MULTILINE) for name in re.findall(r"`(\w+)`", row)}
    commands = {command.name for command in app.registered_commands} | {group.name for group in app.registered_groups}
    assert names == commands


def test_the_installation_matches_the_tutorial() -> None:
    tutorial = (ROOT / "docs" / "tutorial.md").read_text().splitlines()
    server = PAGE.partition("## Install it on a server")[2].partition("```sh\n")[2].partition("```")[0]
    assert [line for line in server.splitlines() if line not in tutorial] == []


def test_its_make_commands_are_targets() -> None:
    targets = set(re.findall(r"^(\w[\w-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert {"demo", "test"} <= set(re.findall(r"^make ([\w-]+)", PAGE, re.MULTILINE)) <= targets
