"""``README.md`` shows a real alert, a valid configuration and the current commands."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from tests.support.paths import ROOT
from tests.unit.receivers.samples import CASES
from watcher.cli.app import COMMANDS
from watcher.config import load
from watcher.core.messages.message import Style
from watcher.receivers.slack.blocks import payload
from watcher.receivers.slack.layout import TEXT_ONLY
from watcher.store.sqlite.library import oldest

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
    body = payload([CASES["failed-in-context"]], TEXT_ONLY, may_be_repeat=False, mentions=("@ml-oncall",), style=style)
    assert block("text") == plain(str(body["text"])) + "\n"


def test_the_ten_lines_are_a_valid_configuration(tmp_path: Path) -> None:
    text = block("toml")
    assert len([line for line in text.splitlines() if line]) <= 10
    config = load(tmp_path / "config.toml", text=text)
    assert set(config.receivers) == {"ml-ops"}


def test_the_table_has_every_command_and_no_other() -> None:
    names = {name for row in re.findall(r"^\| (`.*?) \|", PAGE, re.MULTILINE) for name in re.findall(r"`(\w+)`", row)}
    assert names == set(COMMANDS)


def test_the_installation_matches_the_tutorial() -> None:
    tutorial = (ROOT / "docs" / "tutorial.md").read_text().splitlines()
    server = PAGE.partition("## Install it on a server")[2].partition("```sh\n")[2].partition("```")[0]
    assert [line for line in server.splitlines() if line not in tutorial] == []


@pytest.mark.parametrize("page", ["README.md", "docs/tutorial.md"])
def test_the_requirements_name_the_oldest_python_and_the_oldest_sqlite(page: str) -> None:
    text = (ROOT / page).read_text()
    python = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"].removeprefix(">=")
    assert f"Python {python} or newer" in text
    assert f"SQLite {oldest().removesuffix('.0')} or newer" in " ".join(text.split())


def test_the_map_of_the_documents_names_the_last_fault_of_the_table() -> None:
    faults = re.findall(r"^\| R(\d+) \|", (ROOT / "docs" / "reliability.md").read_text(), re.MULTILINE)
    assert f"R1 to R{max(map(int, faults))}" in (ROOT / "docs" / "index.md").read_text()


def test_its_make_commands_are_targets() -> None:
    targets = set(re.findall(r"^(\w[\w-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert {"demo", "test"} <= set(re.findall(r"^make ([\w-]+)", PAGE, re.MULTILINE)) <= targets
