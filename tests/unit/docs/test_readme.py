"""``README.md`` shows a real alert, a valid configuration and the current commands."""

from __future__ import annotations

import json
import re
from pathlib import Path

from tests.support.paths import ROOT
from watcher.cli.app import app
from watcher.config import load

PAGE = (ROOT / "README.md").read_text()
ALERT = json.loads((ROOT / "tests" / "data" / "receivers" / "failed.slack0.json").read_text())


def block(kind: str) -> str:
    """Return the first block of code of a kind."""
    found = re.search(rf"```{kind}\n(.*?)```", PAGE, re.DOTALL)
    assert found is not None
    return found[1]


def plain(text: str) -> str:
    return text.replace("`", "").replace("*", "")


def test_the_alert_is_the_message_for_slack() -> None:
    shown = block("text")
    assert shown.startswith(f"{plain(ALERT['text'])}\n\n")
    fields = [part for entry in ALERT["blocks"][1]["fields"] for part in plain(entry["text"]).split("\n")]
    assert sorted(re.split(r"\n| {2,}", shown.split("\n\n")[1])) == sorted(fields)
    assert shown.endswith(f"\n\n{plain(ALERT['blocks'][2]['elements'][0]['text'])}\n")


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
