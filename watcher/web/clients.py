"""The client of a request: its address, also behind a reverse proxy."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Final

from starlette.requests import Request

SITE_BITS: Final = 64
"""One machine has a whole network of this size in IPv6 (RFC 4291, 2.5.1)."""


class TrustedProxies:
    """The addresses and networks of ``trusted_proxies``."""

    def __init__(self, texts: Sequence[str]) -> None:
        self._networks = [ip_network(text, strict=False) for text in texts]

    def __contains__(self, host: str) -> bool:
        try:
            address = ip_address(host)
        except ValueError:
            return False
        return any(address in network for network in self._networks)


def client_of(request: Request) -> str:
    """Return the client that a limit counts."""
    return "" if request.client is None else limited_client(request.client.host)


def limited_client(host: str) -> str:
    """Return the address that a limit counts; for IPv6, the network of the machine."""
    try:
        address = ip_address(host)
    except ValueError:
        return host
    if not isinstance(address, IPv6Address):
        return host
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ip_network((int(address), SITE_BITS), strict=False))
