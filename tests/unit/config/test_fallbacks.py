"""The receiver that steps in for a failing one."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from watcher import config
from watcher.config.to_core import policy_of, routes_of
from watcher.reports.route_warnings import route_warnings

BASE = """
[account.main]
access_key = { env = "NCP_ACCESS_KEY" }
secret_key = { env = "NCP_SECRET_KEY" }
[[watch]]
service = "6wxgu1abcde"
[receiver.ops]
kind = "log"
"""
HOOK = '[receiver.hook]\nkind = "webhook"\nurl = "https://hook.example/x"\n'


def load(text: str) -> config.Config:
    return config.load(Path("/config.toml"), text=text)


def test_every_kind_of_receiver_may_have_a_fallback() -> None:
    kinds = {
        "webhook": 'url = "https://hook.example/x"',
        "slack-webhook": 'url = { env = "SLACK_WEBHOOK_URL" }',
        "slack": 'token = { env = "SLACK_TOKEN" }\nchannel = "C0123456789"',
        "log": "",
    }
    tables = [f'[receiver.of-{kind}]\nkind = "{kind}"\nfallback = "ops"\n{keys}\n' for kind, keys in kinds.items()]
    routes = routes_of(load(BASE + "".join(tables)))
    assert routes.fallbacks == {f"of-{kind}": "ops" for kind in kinds}


@pytest.mark.parametrize(
    ("fallback", "words"),
    [
        ("hook", "names this receiver itself"),
        ("opps", '"opps" is no receiver; write one of "ops", or take it out'),
        ("", "receiver.hook.fallback"),
    ],
)
def test_a_fallback_is_another_receiver_of_the_file(fallback: str, words: str) -> None:
    with pytest.raises(config.ConfigError) as refused:
        load(f'{BASE}{HOOK}fallback = "{fallback}"\n')
    assert words in str(refused.value)


def test_the_time_to_the_announcement_is_a_setting() -> None:
    assert policy_of(load(BASE)).failing_after == timedelta(minutes=15)
    assert policy_of(load(f'{BASE}[delivery]\nfailing_after = "2m"\n')).failing_after == timedelta(minutes=2)


@pytest.mark.parametrize(
    ("limit", "route", "named"),
    [
        ("30s", "", ["a catch-up (2m)", "a digest (10m)"]),
        ("5m", "", ["a digest (10m)"]),
        ("15m", 'group_for = "30m"', ["group_for of route 1 (30m)"]),
        ("3d", 'group_for = "30m"', []),
    ],
)
def test_a_wait_that_outlasts_give_up_after_is_a_warning(limit: str, route: str, named: list[str]) -> None:
    text = f'{BASE}[delivery]\ngive_up_after = "{limit}"\n[[route]]\nto = ["ops"]\n{route}\n'
    warnings = [line for line in route_warnings(load(text)) if "give_up_after" in line]
    assert len(warnings) == bool(named)
    assert all(name in warnings[0] for name in named)
