"""Requests and settings show no secret, and loopback hosts are recognized."""

from __future__ import annotations

import pytest

from watcher.core.secret import Secret
from watcher.http import HttpRequest, HttpSettings, is_loopback


def test_a_request_shows_neither_url_nor_headers_nor_body() -> None:
    shown = repr(HttpRequest(url="https://hooks.slack.com/services/hunter2", headers={"A": "hunter2"}, body=b"hunter2"))
    assert "hunter2" not in shown


def test_settings_do_not_show_the_proxys_password() -> None:
    assert "hunter2" not in repr(HttpSettings(proxy="http://user:hunter2@proxy.example:3128"))
    assert "hunter2" not in repr(HttpSettings(proxy=Secret("http://user:hunter2@proxy.example:3128")))


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST", "127.0.0.1", "127.9.9.9", "::1", "[::1]"])
def test_loopback_is_recognized(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["", "10.0.0.1", "localhost.example.com", "127.0.0.1.example.com", "::2"])
def test_other_hosts_are_not_loopback(host: str) -> None:
    assert not is_loopback(host)
