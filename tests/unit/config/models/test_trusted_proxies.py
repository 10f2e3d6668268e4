"""The key ``trusted_proxies`` of ``[web]``: addresses and networks, and words where it is neither."""

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
        ('trusted_proxies = ["proxy.example"]', 'config.toml:10: web.trusted_proxies: "proxy.example" is no address'),
        ('trusted_proxies = "10.0.0.7"', "config.toml:10: web.trusted_proxies: is text where a list is expected"),
        ("trusted_proxies = [7]", "config.toml:10: web.trusted_proxies[0]"),
    ],
)
def test_anything_else_is_refused_in_words(line: str, words: str) -> None:
    with pytest.raises(ConfigError) as refused:
        loaded(line)
    assert words in str(refused.value)
