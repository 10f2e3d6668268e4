from __future__ import annotations

import pytest

from watcher.addresses import fault_of, fault_of_host

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
def test_where_credentials_are_handed_out_nothing_is_sent(address: str) -> None:
    assert fault_of(address)
    assert fault_of_host(address)


@pytest.mark.parametrize("address", ALLOWED)
def test_hooks_on_this_machine_and_in_private_networks_are_taken(address: str) -> None:
    assert fault_of(address) is None
    assert fault_of_host(address) is None


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
def test_no_other_way_of_writing_a_number_leads_around_it(host: str) -> None:
    assert fault_of_host(host)


@pytest.mark.parametrize(
    "host", ["hooks.example", "1.2.3.4.5", "0x", "256.1.1.1.", "127.1", "[::1]", "", "a.1", "08.1.1.1"]
)
def test_names_and_other_numbers_are_none_of_it_here(host: str) -> None:
    assert fault_of_host(host) is None
