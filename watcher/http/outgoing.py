"""A request as it is sent, byte for byte: the origin, the target, and the header fields."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

import httpcore2
import httpx2 as httpx

from watcher import __version__
from watcher.core.secret import Secret, revealed
from watcher.http.attempt_trace import host_and_port
from watcher.http.exchange import DEFAULT_PORTS, HttpRequest

Fields = dict[str, tuple[bytes, bytes]]
"""Header fields, as they are sent, by their names in small letters."""

DEFAULT_HEADERS: Final = {
    "User-Agent": f"aitems-watcher/{__version__}",
    "Accept": "*/*",
    "Accept-Encoding": "identity",
    # An answer from a cache shows an older state, and a heartbeat must reach its server.
    "Cache-Control": "no-cache",
}
METHODS_WITH_BODY: Final = ("POST", "PUT", "PATCH")
MAX_PORT: Final = 65535
KNOWN_ORIGINS: Final = 256
CANONICAL_URL: Final = re.compile(
    r"""
    (?P<origin> https?://[a-z0-9.-]+ (?: :[0-9]+ )? )
    # No segment begins with a dot, so that none is to be resolved.
    (?P<target> (?: /(?!\.) (?: [\w.~:@=,;+-] | %[0-9A-Fa-f]{2} )* )+
      (?: \?(?: [\w.~:@=,;+&/-] | %[0-9A-Fa-f]{2} )* )? )
    """,
    re.ASCII | re.VERBOSE,
)
"""URLs whose target is sent as it is written; every other URL is left to the library, which costs more."""
MAX_CANONICAL_LENGTH: Final = 8192


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """A server of HTTP; ``port`` is ``None`` for the usual one of the scheme."""

    scheme: str
    host: str
    """The host as a person reads it."""
    raw_host: bytes
    """The host as it is sent (IDNA)."""
    port: int | None
    user_info: bytes = field(repr=False)
    peer: str
    """Host and port, for messages."""
    fields: Fields = field(repr=False, hash=False)
    """The fields of every request to it."""


def destination(url: str) -> tuple[Origin, bytes]:
    """Return the origin of a URL and its target, the path with its query.

    Raises:
        httpx.InvalidURL: it is no URL with a host, and a port that exists.
    """
    canonical = CANONICAL_URL.fullmatch(url) if len(url) <= MAX_CANONICAL_LENGTH else None
    if canonical is not None:
        return _known_origin(canonical["origin"]), canonical["target"].encode()
    parsed = httpx.URL(url)
    return _origin_of(parsed), parsed.raw_path


@lru_cache(KNOWN_ORIGINS)
def _known_origin(url: str) -> Origin:
    return _origin_of(httpx.URL(url))


def _origin_of(url: httpx.URL) -> Origin:
    return Origin(
        scheme=url.scheme,
        host=url.host,
        raw_host=url.raw_host,
        port=url.port,
        user_info=url.userinfo,
        peer=_peer(url),
        fields=_encoded({"Host": url.netloc.decode("ascii"), **DEFAULT_HEADERS}),
    )


def _peer(url: httpx.URL) -> str:
    port = url.port or DEFAULT_PORTS.get(url.scheme, 0)
    if not url.host or not 0 < port <= MAX_PORT:
        raise httpx.InvalidURL("not an http:// or https:// URL with a host and a port that exists")
    return host_and_port(url.raw_host.decode("ascii"), port)


def _encoded(headers: Mapping[str, str | Secret]) -> Fields:
    return {name.lower(): (name.encode("ascii"), revealed(value).encode("ascii")) for name, value in headers.items()}


def outgoing(request: HttpRequest, origin: Origin, target: bytes) -> httpcore2.Request:
    """Return the request for the library's pool; it is signed here.

    Raises:
        UnicodeError: a header is not ASCII.
    """
    fields = origin.fields | _encoded(request.headers)
    if request.body is not None or request.method in METHODS_WITH_BODY:
        fields |= _encoded({"Content-Length": str(len(request.body or b""))})
    if request.signer is not None:
        fields |= _encoded(request.signer(request.method, target))
    return httpcore2.Request(
        request.method,
        httpcore2.URL(scheme=origin.scheme, host=origin.raw_host, port=origin.port, target=target),
        headers=list(fields.values()),
        content=request.body,
    )
