"""Which addresses a receiver may be at: never those by which a machine in a cloud hands out its credentials.

Private and loopback addresses are taken: people run their own hooks there. What is looked at is the address that is
connected to, so that neither a name, nor another way of writing a number, nor DNS that changes leads around it.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from contextlib import suppress
from typing import Final

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

METADATA: Final = frozenset(
    map(
        ipaddress.ip_address,
        (
            "100.100.100.200",  # Alibaba Cloud
            "168.63.129.16",  # Azure
            "192.0.0.192",  # Oracle Cloud
            "fd00:ec2::254",  # AWS
            "fd20:ce::254",  # Google Cloud
        ),
    )
)
"""Where clouds hand out credentials beside 169.254.169.254, which is link-local."""
BROADCAST: Final = ipaddress.IPv4Network("240.0.0.0/4")
NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")
NUMERIC: Final = re.compile(r"[0-9a-fA-FxX.]+")
"""``inet_aton`` alone would also accept an address with a blank and any text after it."""
COMPATIBLE: Final = ipaddress.IPv6Network("::/96")


class ForbiddenAddressError(OSError):
    """A receiver's host is, or leads to, an address that is not connected to."""


def fault_of(address: str) -> str | None:
    """Say why an address is not connected to; ``None`` where it may be."""
    return _fault(ipaddress.ip_address(address.partition("%")[0]))


def fault_of_host(host: str) -> str | None:
    """Say the same of a host that is an address in any way of writing one; a name is known only by resolving it."""
    literal = _literal(host.strip("[]").rstrip("."))
    return None if literal is None else _fault(literal)


def _literal(host: str) -> Address | None:
    with suppress(ValueError):
        return ipaddress.ip_address(host.partition("%")[0])
    # The resolver of the C library accepts these forms too: 2852039166, 0xa9fea9fe, 169.254.43518.
    if NUMERIC.fullmatch(host):
        with suppress(OSError):
            return ipaddress.IPv4Address(socket.inet_aton(host))
    return None


def _fault(address: Address) -> str | None:
    inner = _embedded(address)
    if inner is not None:
        return _fault(inner)
    if address in METADATA:
        return "it is a cloud's metadata address"
    if address.is_link_local:
        return "it is a link-local address, where clouds keep their metadata"
    if address.is_multicast:
        return "it is no address of a machine"
    if isinstance(address, ipaddress.IPv4Address) and address in BROADCAST:
        return "it is no address of a machine"
    return None


def _embedded(address: Address) -> ipaddress.IPv4Address | None:
    """Return the IPv4 address that an IPv6 address leads to."""
    if isinstance(address, ipaddress.IPv4Address):
        return None
    embedded = address.ipv4_mapped or address.sixtofour or (address.teredo or (None, None))[1]
    if embedded is not None:
        return embedded
    # ::1 and :: lie in the second of these and are themselves.
    inside = address in NAT64 or (address in COMPATIBLE and int(address) > 1)
    return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF) if inside else None
