"""The tables of ``check`` and ``route`` at 80 columns and at any width."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.cli.support import Run, runner

SERVICE, CHANNEL, VERSION = "6wxgu1abcdefghij", "C0123456789", "maqll0abcde"
CONFIG = f"""
[account.main]
access_key = {{ env = "A" }}
secret_key = {{ env = "B" }}
[account.staging-of-the-other-team]
access_key = {{ env = "A" }}
secret_key = {{ env = "B" }}
[state]
url = "sqlite:///here.db"
[[watch]]
account = "main"
service = "{SERVICE}"
type = "relatedItem"
version = "{VERSION}"
name = "recommendations of the shop"
[[watch]]
account = "staging-of-the-other-team"
service = "*"
[receiver.the-critical-channel-of-ml-ops]
kind = "slack"
token = {{ env = "T" }}
channel = "{CHANNEL}"
[[route]]
match = {{ kind = ["failed", "gone"], service = "{SERVICE}" }}
to = ["the-critical-channel-of-ml-ops"]
mention = ["<!subteam^S0123456789>", "<@U0123456789>"]
[[route]]
match = {{ kind = "*" }}
to = ["the-critical-channel-of-ml-ops"]
"""


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    (tmp_path / "config.toml").write_text(CONFIG)
    monkeypatch.setenv("AITEMS_WATCHER_CONFIG", str(tmp_path / "config.toml"))
    monkeypatch.setenv("COLUMNS", "80")
    return runner(capsys)


@pytest.mark.parametrize("command", [["check"], ["route", "--service", SERVICE]])
def test_ids_are_whole_at_80_columns_and_wide_tables_take_one_line_a_row(run: Run, command: list[str]) -> None:
    narrow, wide = run(*command), run(*command, "--wide")
    assert "6wxgu1abc…" not in narrow.out
    assert narrow.out.count(SERVICE) == wide.out.count(SERVICE) > 0
    assert "…" not in wide.out
    assert "\n    " not in wide.out, "no row needs a second line"


def test_check_names_the_service_of_each_view(run: Run) -> None:
    assert f"view of {SERVICE}" in run("check").out
