"""The proxy of the environment for a host: ``HTTPS_PROXY``, ``HTTP_PROXY``, ``ALL_PROXY``, and ``NO_PROXY``.

``NO_PROXY`` is read as curl reads it, and also knows ports and ``*.suffix``. Python's own reader knows no networks.
"""

from __future__ import annotations

import ipaddress
import re
from contextlib import suppress
from typing import Final
from urllib.request import getproxies, getproxies_environment, proxy_bypass

import httpx2 as httpx

from watcher.http.exchange import DEFAULT_PORTS, ProxyKindError

PROXY_SCHEMES: Final = ("http", "https")
SEPARATORS: Final = re.compile(r"[\s,]+")
BRACKETED: Final = re.compile(r"\[(?P<host>[^]]*)\](?P<rest>(?:/\d+)?)(?::(?P<port>\d{1,5}))?")
NAMED: Final = re.compile(r"(?P<host>[^:]*)(?::(?P<port>\d{1,5}))?")


def is_loopback(host: str) -> bool:
    """Return whether ``host`` is ``localhost`` or a loopback address."""
    if host.lower() == "localhost":
        return True
    address = _address(host)
    return address is not None and address.is_loopback


def environment_proxy(scheme: str, host: str, port: int | None) -> str | None:
    """Return the proxy of the environment for a host; ``None`` for a direct connection.

    Without ``port``, the usual one of the scheme counts. A loopback address is never proxied: the environment's proxy
    is on another machine.

    Raises:
        ProxyKindError: the proxy is of an unknown kind.
    """
    environment = getproxies_environment()
    # Without these variables, some systems have settings of their own.
    proxies = environment or getproxies()
    proxy = proxies.get(scheme) or proxies.get("all")
    if not proxy or is_loopback(host):
        return None
    actual_port = port or DEFAULT_PORTS.get(scheme, 0)
    if is_excluded(host, actual_port, environment.get("no", "")) if environment else proxy_bypass(host):
        return None
    variable = f"{scheme.upper()}_PROXY" if proxies.get(scheme) else "ALL_PROXY"
    return checked_proxy(proxy if "://" in proxy else f"http://{proxy}", variable)


def checked_proxy(proxy: str, setting: str) -> str:
    """Return the URL of a proxy.

    Raises:
        ProxyKindError: it is of an unknown kind; the text omits the URL, which may hold a password.
    """
    try:
        scheme = httpx.URL(proxy).scheme
    except httpx.InvalidURL:
        scheme = ""
    if scheme not in PROXY_SCHEMES:
        kind = "a SOCKS proxy, which is not supported" if scheme.startswith("socks") else "of an unknown kind"
        raise ProxyKindError(f"{setting} is {kind}; set an http:// proxy, or name the host in NO_PROXY")
    return proxy


def is_excluded(host: str, port: int, no_proxy: str) -> bool:
    """Return whether ``NO_PROXY`` excludes a host.

    Its entries are separated by commas or blanks: a name, which covers the names below it, with or without a dot or
    ``*.`` before it; an address; a network such as ``10.0.0.0/8``; each with an optional port; or ``*`` for all.
    """
    name = _plain(host)
    return any(_covers(entry, name, port) for entry in SEPARATORS.split(no_proxy) if entry)


def _covers(entry: str, name: str, port: int) -> bool:
    if entry == "*":
        return True
    pattern, entry_port = _split(entry)
    if entry_port is not None and entry_port != port:
        return False
    address = _address(name)
    return _covers_address(pattern, address) if address else _covers_name(pattern, name)


def _split(entry: str) -> tuple[str, int | None]:
    """Return the host of an entry and its port; an address with colons has a port only behind its brackets."""
    found = BRACKETED.fullmatch(entry) or NAMED.fullmatch(entry)
    if found is None:
        return entry, None
    port = found["port"]
    return found["host"] + found.groupdict().get("rest", ""), None if port is None else int(port)


def _covers_name(pattern: str, name: str) -> bool:
    suffix = _plain(pattern.removeprefix("*").lstrip("."))
    return bool(suffix) and (name == suffix or name.endswith(f".{suffix}"))


def _covers_address(pattern: str, address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    with suppress(ValueError):
        return address in ipaddress.ip_network(pattern.partition("%")[0], strict=False)
    return False


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    with suppress(ValueError):
        address = ipaddress.ip_address(host.strip("[]").partition("%")[0])
        mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
        return mapped or address
    return None


def _plain(name: str) -> str:
    """Return a name in small letters and ASCII, without the dot at its end."""
    name = name.lower().rstrip(".")
    with suppress(UnicodeError):
        return name.encode("idna").decode("ascii")
    return name
