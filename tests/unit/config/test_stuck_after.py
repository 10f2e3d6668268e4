"""The keys ``stuck_after`` and ``interval = "auto"`` of a watch."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Final

import pytest

from watcher.config.faults import ConfigError
from watcher.config.reader import load
from watcher.config.to_core import polls_of
from watcher.core.training.stuck_rules import StuckRule, StuckRules

FILE: Final = """
[account.main]
access_key = {{ env = "NCP_ACCESS_KEY" }}
secret_key = {{ env = "NCP_SECRET_KEY" }}

[[watch]]
service = "6wxgu1abcde"
{line}

[receiver.console]
kind = "log"

[[route]]
to = ["console"]
"""
HOUR: Final = timedelta(hours=1)


def rules(line: str) -> StuckRules | None:
    (poll,) = polls_of(load(Path("config.toml"), text=FILE.format(line=line)))
    return poll.attributes.stuck_rules


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("", None),
        ('stuck_after = "learned"', StuckRules()),
        ('stuck_after = "never"', StuckRules(usual=StuckRule.NEVER)),
        ('stuck_after = "6h"', StuckRules(usual=6 * HOUR)),
        (
            'stuck_after = { learning = "6h", waiting = "never", stopping = "learned" }',
            StuckRules(stages={"learning": 6 * HOUR, "waiting": StuckRule.NEVER, "stopping": StuckRule.LEARNED}),
        ),
    ],
)
def test_stuck_after_is_one_rule_or_one_for_each_stage(line: str, expected: StuckRules | None) -> None:
    assert rules(line) == expected


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("6", "not a duration"),
        ('"6"', "not a duration"),
        ('"soon"', "not a duration"),
        ('"59s"', 'write "1m" or more'),
        ('"31d"', 'write "30d" or less'),
        ("{}", "names no stage"),
        ('{ completed = "6h" }', "no stage of a training"),
        ('{ learning = "6" }', "learning"),
        ('["6h"]', "not a duration"),
        ("true", "not a duration"),
    ],
)
def test_another_value_is_refused_with_its_line_and_a_remedy(value: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=r"config.toml:8: watch\[0\].stuck_after") as refused:
        rules(f"stuck_after = {value}")
    assert problem in str(refused.value)


def test_auto_takes_as_many_requests_as_thirty_seconds() -> None:
    (poll,) = polls_of(load(Path("config.toml"), text=FILE.format(line='interval = "auto"')))
    assert (poll.cadence.interval, poll.cadence.adapts) == (timedelta(seconds=30), True)
    assert poll.cadence.longest == timedelta(minutes=5)


def test_the_idle_interval_may_not_be_shorter_than_that_of_auto() -> None:
    (poll,) = polls_of(load(Path("config.toml"), text=FILE.format(line='interval = "auto"\nidle_interval = "10s"')))
    assert poll.cadence.idle_interval == timedelta(seconds=30)


@pytest.mark.parametrize("value", ['"automatic"', "30", '"Auto"', "[]"])
def test_an_interval_is_a_duration_or_auto(value: str) -> None:
    with pytest.raises(ConfigError, match=r"config.toml:8: watch\[0\].interval") as refused:
        load(Path("config.toml"), text=FILE.format(line=f"interval = {value}"))
    assert str(refused.value).count("\n") == 0
