"""The key ``trusted_proxies`` of ``[web]``: addresses and networks, with a token, and words where it is neither."""

from __future__ import annotations

from pathlib import Path

import pytest

from watcher import config
from watcher.config import ConfigError

START = """
[account.a]
access_key = { env = "A" }
secret_key = { env = "B" }
[receiver.r]
kind = "log"
[[watch]]
service = "s"
[web]
token = { env = "WEB_TOKEN" }
"""


def loaded(line: str) -> config.Config:
    return config.load(Path("config.toml"), text=START + line)


def test_addresses_and_networks_are_taken() -> None:
    given = loaded('trusted_proxies = ["10.0.0.7", "10.1.0.3/16", "::1"]').web.trusted_proxies
    assert given == ("10.0.0.7", "10.1.0.3/16", "::1")
    assert loaded("").web.trusted_proxies == ()


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('trusted_proxies = ["proxy.example"]', 'config.toml:11: web.trusted_proxies: "proxy.example" is no address'),
        ('trusted_proxies = "10.0.0.7"', "config.toml:11: web.trusted_proxies: is text where a list is expected"),
        ("trusted_proxies = [7]", "config.toml:11: web.trusted_proxies[0]"),
    ],
)
def test_anything_else_is_refused_in_words(line: str, words: str) -> None:
    with pytest.raises(ConfigError) as refused:
        loaded(line)
    assert words in str(refused.value)


WITHOUT_TOKEN = START.partition("token =")[0]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (
            'trusted_proxies = ["10.0.0.7"]',
            (
                "config.toml:10: web.trusted_proxies: others reach the watcher through these proxies, and [web]"
                ' token is missing; write token = { file = "/path" }, or leave trusted_proxies out'
            ),
        ),
        (
            'base_path = "/aitems"',
            (
                "config.toml:10: web.base_path: others reach the watcher through the proxy that has this path, and"
                ' [web] token is missing; write token = { file = "/path" }, or leave base_path out'
            ),
        ),
    ],
)
def test_whoever_comes_through_a_proxy_needs_the_token(line: str, words: str) -> None:
    with pytest.raises(ConfigError) as refused:
        config.load(Path("config.toml"), text=WITHOUT_TOKEN + line)
    assert words in str(refused.value)


def test_a_wrong_token_is_one_error_and_not_a_missing_one_too() -> None:
    with pytest.raises(ConfigError) as refused:
        config.load(Path("config.toml"), text=f'{WITHOUT_TOKEN}token = "plain"\nbase_path = "/a"')
    assert "base_path" not in str(refused.value)
