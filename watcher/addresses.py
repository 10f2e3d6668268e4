"""The addresses that receivers may not have: those where a cloud serves credentials to its machines.

Private and loopback addresses are allowed, because people run their own hooks there. The check applies to the address
of the connection, so no name, other notation of a number, or change of DNS evades it.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from contextlib import suppress
from functools import lru_cache
from typing import Final

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
KNOWN_HOSTS: Final = 256
"""Hosts that are kept: each request asks for its own."""

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
"""Metadata addresses of clouds; the usual 169.254.169.254 is link-local and needs no entry."""
BROADCAST: Final = ipaddress.IPv4Network("240.0.0.0/4")
NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")
NUMERIC: Final = re.compile(r"[0-9a-fA-FxX.]+")
"""Characters of a numeric address; ``inet_aton`` alone also accepts a blank and any text after it."""
COMPATIBLE: Final = ipaddress.IPv6Network("::/96")


class ForbiddenAddressError(OSError):
    """A receiver's host is, or resolves to, a forbidden address."""


def forbidden_address_reason(address: str) -> str | None:
    """Return the reason why an address is forbidden; ``None`` where it is allowed."""
    return _reason(ipaddress.ip_address(address.partition("%")[0]))


@lru_cache(KNOWN_HOSTS)
def forbidden_host_reason(host: str) -> str | None:
    """Return the same for a host that is an address in any notation; ``None`` for a name, which must be resolved."""
    literal = _literal(host.strip("[]").rstrip("."))
    return None if literal is None else _reason(literal)


def _literal(host: str) -> Address | None:
    with suppress(ValueError):
        return ipaddress.ip_address(host.partition("%")[0])
    # The resolver of the C library accepts these notations too: 2852039166, 0xa9fea9fe, 169.254.43518.
    if NUMERIC.fullmatch(host):
        with suppress(OSError):
            return ipaddress.IPv4Address(socket.inet_aton(host))
    return None


def _reason(address: Address) -> str | None:
    inner = _embedded(address)
    if inner is not None:
        return _reason(inner)
    if address in METADATA:
        return "it is a cloud's metadata address"
    if address.is_link_local:
        return "it is a link-local address, where clouds serve metadata"
    if address.is_multicast:
        return "it is no address of a single machine"
    if isinstance(address, ipaddress.IPv4Address) and address in BROADCAST:
        return "it is no address of a single machine"
    return None


def _embedded(address: Address) -> ipaddress.IPv4Address | None:
    """Return the IPv4 address that an IPv6 address contains; ``None`` where it contains none."""
    if isinstance(address, ipaddress.IPv4Address):
        return None
    embedded = address.ipv4_mapped or address.sixtofour or (address.teredo or (None, None))[1]
    if embedded is not None:
        return embedded
    # ::1 and :: lie in COMPATIBLE, but contain no IPv4 address.
    inside = address in NAT64 or (address in COMPATIBLE and int(address) > 1)
    return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF) if inside else None
