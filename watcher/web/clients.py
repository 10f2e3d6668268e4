"""The client of a request: its address, also behind a reverse proxy."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Any, Final, cast

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

FORWARDED: Final = b"x-forwarded-"
OF_PROXIES: Final = (FORWARDED, b"x-real-ip", b"forwarded", b"via")
"""The beginnings of the names of headers that only a proxy adds (RFC 7239; RFC 9110, 7.6.3)."""
BY_OTHER_PROXY: Final = "aitems_watcher.by_other_proxy"
"""The key in a scope for whether a proxy that is not trusted has passed the request on."""
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

    def texts(self) -> list[str]:
        """Return each network with its first address: uvicorn takes no other for a network."""
        return [str(network) for network in self._networks]


class ForwardedHeaders:
    """Applies ``X-Forwarded-*`` of a trusted proxy, and removes those of any other client."""

    def __init__(self, app: ASGIApp, proxies: TrustedProxies) -> None:
        self._app = app
        self._proxies = proxies
        self._trusting = cast(ASGIApp, ProxyHeadersMiddleware(cast(Any, app), proxies.texts()))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, as the ASGI specification requires."""
        client = scope.get("client")
        if client is not None and client[0] in self._proxies:
            await self._trusting(scope, receive, send)
            return
        headers = [item for item in scope["headers"] if not item[0].startswith(FORWARDED)]
        by_proxy = any(name.startswith(OF_PROXIES) for name, _ in scope["headers"])
        await self._app({**scope, "headers": headers, BY_OTHER_PROXY: by_proxy}, receive, send)


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
