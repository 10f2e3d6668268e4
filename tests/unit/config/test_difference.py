"""The differences that a reload reports: those that it applies, and those that need a restart."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from watcher.config import Config, load
from watcher.config.difference import RELOADABLE, changes, restarts

PLAIN = """
[account.main]
access_key = { env = "NCP_ACCESS_KEY" }
secret_key = { env = "NCP_SECRET_KEY" }

[[watch]]
service = "6wxgu1abcde"

[receiver."my team"]
kind = "log"
"""


def config_of(text: str) -> Config:
    return load(Path("config.toml"), text=text)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("", "", []),
        ('env = "NCP_SECRET_KEY"', 'env = "ANOTHER_KEY"', ["account.main: changed"]),
        ('service = "6wxgu1abcde"', 'service = "b"', ["watch main b: added", "watch main 6wxgu1abcde: removed"]),
        ('service = "6wxgu1abcde"', 'service = "6wxgu1abcde"\nname = "x"', ["watch main 6wxgu1abcde: changed"]),
        ('"my team"', "ops", ["receiver.ops: added", 'receiver."my team": removed', "route: changed"]),
        ("[[watch]]", '[delivery]\nmax_retry = "2h"\n[[watch]]', ["delivery.max_retry: changed"]),
        ("[[watch]]", "[incident]\nafter_failures = 9\n[[watch]]", ["incident.after_failures: changed"]),
        ("[[watch]]", '[state]\nkeep_history = "30d"\n[[watch]]', ["state.keep_history: changed"]),
        ("[[watch]]", '[state]\nurl = "sqlite:///other.db"\n[[watch]]', []),
    ],
)
def test_each_change_is_named_by_its_key_in_the_file(old: str, new: str, expected: list[str]) -> None:
    assert list(changes(config_of(PLAIN), config_of(PLAIN.replace(old, new) if old else PLAIN))) == expected


def test_another_store_needs_a_restart() -> None:
    other = config_of(PLAIN.replace("[[watch]]", '[state]\nurl = "sqlite:///other.db"\n[[watch]]'))
    assert restarts(config_of(PLAIN), other) == ("state.url",)
    assert restarts(other, other) == ()


def test_each_table_is_either_reloadable_or_needs_a_restart() -> None:
    assert {field.name for field in fields(Config)} >= RELOADABLE
