"""What a reload says that it takes over, and what it cannot."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from watcher.config import Config, load
from watcher.config.difference import TAKEN_OVER, changes, restarts

PLAIN = """
[account.main]
access_key = { env = "NCP_ACCESS_KEY" }
secret_key = { env = "NCP_SECRET_KEY" }

[[watch]]
service = "6wxgu1abcde"

[receiver."my team"]
kind = "log"
"""


def of(text: str) -> Config:
    return load(Path("config.toml"), text=text)


@pytest.mark.parametrize(
    ("old", "new", "said"),
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
def test_each_change_is_named_as_in_the_file(old: str, new: str, said: list[str]) -> None:
    assert list(changes(of(PLAIN), of(PLAIN.replace(old, new) if old else PLAIN))) == said


def test_another_store_needs_a_restart() -> None:
    other = of(PLAIN.replace("[[watch]]", '[state]\nurl = "sqlite:///other.db"\n[[watch]]'))
    assert restarts(of(PLAIN), other) == ("state.url",)
    assert restarts(other, other) == ()


def test_each_table_is_either_taken_over_or_said_to_need_a_restart() -> None:
    assert {field.name for field in fields(Config)} >= TAKEN_OVER
