"""The client of a request: its address, its network of IPv6, and what only a trusted proxy may say."""

from __future__ import annotations

import pytest

from watcher.web.clients import TrustedProxies, limited_client


@pytest.mark.parametrize(
    ("host", "client"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::9", "2001:db8:1:3::/64"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("a-socket", "a-socket"),
        ("", ""),
    ],
)
def test_a_limit_counts_an_address_and_in_ipv6_the_network_of_a_machine(host: str, client: str) -> None:
    assert limited_client(host) == client


def test_a_proxy_is_trusted_by_its_address_or_any_network_with_it() -> None:
    proxies = TrustedProxies(["10.0.0.7", "10.1.0.3/16", "2001:db8::/32"])
    assert all(host in proxies for host in ("10.0.0.7", "10.1.255.1", "2001:db8::1"))
    assert not any(host in proxies for host in ("10.0.0.8", "10.2.0.1", "2001:db9::1", "proxy", ""))
