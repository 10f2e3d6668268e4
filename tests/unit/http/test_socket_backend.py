"""The order in which the addresses of a host are tried."""

from __future__ import annotations

import pytest

from watcher.http.socket_backend import in_turns


@pytest.mark.parametrize(
    ("addresses", "order"),
    [
        ([], []),
        (["1.1.1.1"], ["1.1.1.1"]),
        (["1.1.1.1", "2.2.2.2"], ["1.1.1.1", "2.2.2.2"]),
        (["1.1.1.1", "::1"], ["::1", "1.1.1.1"]),
        (["::1", "::2", "1.1.1.1"], ["::1", "1.1.1.1", "::2"]),
        (["1.1.1.1", "2.2.2.2", "::1"], ["::1", "1.1.1.1", "2.2.2.2"]),
    ],
)
def test_families_take_turns_and_ipv6_is_first(addresses: list[str], order: list[str]) -> None:
    assert in_turns(addresses) == order
