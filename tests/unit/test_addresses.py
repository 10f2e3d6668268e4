"""Addresses that receivers may and may not have."""

from __future__ import annotations

import pytest

from watcher.addresses import forbidden_address_reason, forbidden_host_reason

FORBIDDEN = (
    "169.254.169.254",
    "169.254.1.1",
    "::ffff:169.254.169.254",
    "::ffff:a9fe:a9fe",
    "::169.254.169.254",
    "64:ff9b::a9fe:a9fe",
    "2002:a9fe:a9fe::1",
    "fe80::1",
    "fe80::1%eth0",
    "fd00:ec2::254",
    "100.100.100.200",
    "168.63.129.16",
    "192.0.0.192",
    "224.0.0.1",
    "ff02::1",
    "255.255.255.255",
)
ALLOWED = (
    "127.0.0.1",
    "::1",
    "10.1.2.3",
    "192.168.1.1",
    "172.16.0.1",
    "fd12::1",
    "8.8.8.8",
    "::ffff:10.0.0.1",
    "2001:db8::1",
)


@pytest.mark.parametrize("address", FORBIDDEN)
def test_an_address_where_clouds_serve_credentials_is_forbidden(address: str) -> None:
    assert forbidden_address_reason(address)
    assert forbidden_host_reason(address)


@pytest.mark.parametrize("address", ALLOWED)
def test_hooks_on_this_machine_and_in_private_networks_are_allowed(address: str) -> None:
    assert forbidden_address_reason(address) is None
    assert forbidden_host_reason(address) is None


@pytest.mark.parametrize(
    "host",
    [
        "2852039166",
        "0xa9fea9fe",
        "0251.0376.0251.0376",
        "169.16689662",
        "169.254.43518",
        "0xA9.254.0251.254",
        "169.254.169.254.",
    ],
)
def test_no_other_notation_of_a_number_evades_the_check(host: str) -> None:
    assert forbidden_host_reason(host)


@pytest.mark.parametrize(
    "host", ["hooks.example", "1.2.3.4.5", "0x", "256.1.1.1.", "127.1", "[::1]", "", "a.1", "08.1.1.1"]
)
def test_names_and_other_numbers_are_allowed_here(host: str) -> None:
    assert forbidden_host_reason(host) is None
