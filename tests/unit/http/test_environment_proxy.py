"""``NO_PROXY`` as curl reads it, with ports and ``*.suffix`` beside that, and proxies of an unknown kind."""

from __future__ import annotations

import pytest

from watcher.http import HttpSetupError
from watcher.http.environment_proxy import environment_proxy, is_excluded

VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.mark.parametrize(
    ("no_proxy", "host"),
    [
        ("*", "hook.example"),
        ("other.example, *", "hook.example"),
        ("hook.example", "hook.example"),
        ("example", "hook.example"),
        (".example", "hook.example"),
        (".hook.example", "hook.example"),
        ("*.example", "hook.example"),
        ("*.hook.example", "hook.example"),
        ("HOOK.Example", "hook.example"),
        ("hook.example", "HOOK.EXAMPLE."),
        ("hook.example.", "hook.example"),
        ("a.example b.example", "b.example"),
        ("a.example,b.example", "b.example"),
        ("a.example ,\tb.example , ", "b.example"),
        ("hook.example:8443", "hook.example"),
        (".example:8443", "hook.example"),
        ("10.0.0.0/8", "10.255.1.2"),
        ("10.1.2.3/8", "10.255.1.2"),
        ("192.168.0.0/16,10.1.2.3", "10.1.2.3"),
        ("10.1.2.3:8443", "10.1.2.3"),
        ("10.0.0.0/8", "::ffff:10.1.2.3"),
        ("[fd00::1]", "fd00::1"),
        ("fd00::1", "[fd00::1]"),
        ("[fd00::1]:8443", "fd00::1"),
        ("fd00:0:0::0001", "fd00::1"),
        ("fd00::/8", "fd12::34"),
        ("[fd00::]/8", "fd12::34"),
        ("bücher.example", "xn--bcher-kva.example"),
    ],
)
def test_no_proxy_excludes_a_host(no_proxy: str, host: str) -> None:
    assert is_excluded(host, 8443, no_proxy)


@pytest.mark.parametrize(
    ("no_proxy", "host"),
    [
        ("", "hook.example"),
        (" , ,", "hook.example"),
        ("hook", "hook.example"),
        ("ook.example", "hook.example"),
        ("a.hook.example", "hook.example"),
        ("hook.example:443", "hook.example"),
        ("*.example:443", "hook.example"),
        ("10.0.0.0/8", "11.0.0.1"),
        ("2.3", "10.1.2.3"),
        (".2.3", "10.1.2.3"),
        ("10.1.2.3:443", "10.1.2.3"),
        ("10.0.0.0/8", "hook.example"),
        ("10.0.0.0/99", "10.0.0.1"),
        ("fd00::/8", "fe12::34"),
        ("[fd00::1]:443", "fd00::1"),
        ("fd00::/8", "10.1.2.3"),
        ("::/0", "10.1.2.3"),
        (".", "hook.example"),
        ("[", "hook.example"),
    ],
)
def test_no_proxy_does_not_exclude_another_host(no_proxy: str, host: str) -> None:
    assert not is_excluded(host, 8443, no_proxy)


@pytest.mark.parametrize(
    ("variables", "proxy"),
    [
        ({"HTTPS_PROXY": "http://proxy.example:1"}, "http://proxy.example:1"),
        ({"ALL_PROXY": "proxy.example:1"}, "http://proxy.example:1"),
        ({"HTTPS_PROXY": "http://a.example:1", "ALL_PROXY": "socks5://b.example:1"}, "http://a.example:1"),
        ({"HTTP_PROXY": "http://proxy.example:1"}, None),
        ({"ALL_PROXY": "socks5://proxy.example:1", "NO_PROXY": "hook.example"}, None),
        ({"ALL_PROXY": "http://proxy.example:1", "NO_PROXY": "hook.example:443"}, None),
        ({"ALL_PROXY": "http://proxy.example:1", "NO_PROXY": "hook.example:8443"}, "http://proxy.example:1"),
        ({"ALL_PROXY": "http://proxy.example:1", "NO_PROXY": "upper.example", "no_proxy": "hook.example"}, None),
    ],
)
def test_the_proxy_of_a_host(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], proxy: str | None) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert environment_proxy("https", "hook.example", None) == proxy


@pytest.mark.parametrize("kind", ["socks", "socks4", "socks4a", "socks5", "socks5h", "SOCKS5"])
@pytest.mark.parametrize("variable", ["ALL_PROXY", "HTTPS_PROXY", "https_proxy"])
def test_a_socks_proxy_is_refused_in_words(monkeypatch: pytest.MonkeyPatch, kind: str, variable: str) -> None:
    monkeypatch.setenv(variable, f"{kind}://user:hunter2@proxy.example:1080")
    with pytest.raises(HttpSetupError) as refused:
        environment_proxy("https", "hook.example", None)
    assert str(refused.value) == (
        f"{variable.upper()} is a SOCKS proxy, which is not supported; "
        "set an http:// proxy, or name the host in NO_PROXY"
    )
