"""``check`` says in words which peers have a proxy that is not supported."""

from __future__ import annotations

from pathlib import Path

import pytest

from watcher import config
from watcher.cli.commands.proxy_faults import proxy_faults

TEXT = """
[account.main]
access_key = { env = "NCP_ACCESS_KEY" }
secret_key = { env = "NCP_SECRET_KEY" }
%s
[[watch]]
service = "6wxgu1abcde"

[receiver.hook]
kind = "webhook"
url = "http://hook.example/x"

[receiver.secret-hook]
kind = "webhook"
url = { env = "HOOK" }

[receiver.chat]
kind = "slack-webhook"
url = { env = "SLACK_URL" }

[receiver.bot]
kind = "slack"
token = { env = "SLACK_TOKEN" }
channel = "C0123456789"

[receiver.out]
kind = "log"

[heartbeat]
url = "https://beat.example/1"

[[route]]
to = ["hook", "secret-hook", "chat", "bot", "out"]
"""


def faults(extra: str = "") -> list[str]:
    return [fault.partition(":")[0] for fault in proxy_faults(config.load(Path("config.toml"), text=TEXT % extra))]


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


def test_every_peer_behind_a_socks_proxy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "socks5://proxy.example:1080")
    assert faults() == ["account main", "receiver hook", "receiver chat", "receiver bot", "heartbeat"]


def test_a_peer_with_a_proxy_of_its_own_or_in_no_proxy_is_not_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "socks5://proxy.example:1080")
    monkeypatch.setenv("NO_PROXY", "*.slack.com beat.example:443")
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.example:3128")
    assert faults('proxy = "http://proxy.example:3128"') == []


def test_without_a_socks_proxy_there_is_no_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "http://proxy.example:3128")
    assert faults() == []
