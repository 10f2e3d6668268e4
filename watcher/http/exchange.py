"""HTTP requests, settings, and the three possible results: answered, not sent, maybe sent."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Final, final

from watcher.core.secret import Secret

DEFAULT_PORTS: Final[Mapping[str, int]] = {"http": 80, "https": 443}

Signer = Callable[[str, bytes], Mapping[str, str]]
"""Takes the method and the exact path with query, and returns the headers that sign them."""


class FailureReason(StrEnum):
    """The reason for a missing answer; the value appears in logs and metrics."""

    ADDRESS = "address-refused"
    """The host is, or resolves to, a forbidden address, see ``watcher.addresses``."""
    DNS = "dns"
    CONNECT = "connect"
    TLS = "tls"
    PROXY = "proxy"
    """The proxy refused to connect to the host."""
    PROXY_KIND = "proxy-not-supported"
    """The environment names a proxy of an unknown kind, such as SOCKS."""
    INVALID = "invalid-request"
    """The URL, the method or a header cannot be sent."""
    DEADLINE = "deadline"
    RESET = "reset"
    """The connection ended without an answer."""
    IDLE_CLOSED = "idle-connection-closed"
    """The peer closed a kept connection just as it was used again, for a request without an effect."""
    TRUNCATED = "truncated"
    """The connection ended within the body."""
    PROTOCOL = "protocol"
    """The answer is not HTTP."""
    TOO_LARGE = "too-large"


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpSettings:
    """Settings for one peer; ``None`` leaves the choice to the environment's variables.

    ``ca_file`` (PEM) replaces the system's authorities; ``client_cert`` (PEM) holds certificate and key, without
    a passphrase. ``proxy`` is an ``http://`` or ``https://`` URL, with or without credentials.
    """

    timeout_seconds: float = 10.0
    """For the whole call, from the name lookup to the last byte of the body."""
    max_body_bytes: int = 4 * 1024 * 1024
    """For the bytes on the wire; nothing is decompressed."""
    max_connections: int = 8
    keep_alive_seconds: float = 4.0
    """The lifetime of an idle connection; servers usually close theirs after 5 s or more."""
    proxy: Secret | str | None = field(default=None, repr=False)
    ca_file: Path | None = None
    client_cert: Path | None = None
    guarded: bool = False
    """Whether addresses of metadata services and the like are forbidden, see ``watcher.addresses``.

    A proxy resolves names itself. Behind one, only an address in the URL itself is checked.
    """


class HttpSetupError(ValueError):
    """The settings are unusable: an unreadable certificate, or a proxy of an unknown kind."""


class ProxyKindError(HttpSetupError):
    """The proxy is of an unknown kind, such as SOCKS."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LargeBody:
    """Permits an answer to be larger than ``HttpSettings.max_body_bytes``."""

    max_bytes: int
    is_plausible: Callable[[bytearray], bool]
    """Whether the body so far looks like the expected content; called each time that its size has doubled."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpRequest:
    """One request; ``repr`` hides URL, headers and body, which may carry secrets."""

    method: str = "GET"
    url: str | Secret = field(repr=False)
    headers: Mapping[str, str | Secret] = field(default_factory=dict, repr=False, hash=False)
    body: bytes | None = field(default=None, repr=False)
    signer: Signer | None = field(default=None, repr=False)
    """Called just before each attempt is sent."""
    on_write: Callable[[], None] | None = field(default=None, repr=False)
    """Called on an open connection, before its first byte is written."""
    large_body: LargeBody | None = field(default=None, repr=False)
    reads_only: bool = False
    """Whether it has no effect, as with every GET."""
    own_connection: bool = False
    """Whether it gets a new connection, which closes after the answer.

    For a request that must not be repeated in vain: a peer may close a kept connection just as it is used again.
    """
    timeout_seconds: float | None = None
    """A shorter deadline of each attempt than that of the client; ``None`` where the client's counts."""

    @property
    def safe(self) -> bool:
        """Whether a repeat has no effect (RFC 9110, 9.2.1)."""
        return self.reads_only or self.method == "GET"

    @property
    def repeatable(self) -> bool:
        """Whether the client itself may repeat the request at once; not where another part grants each request."""
        return self.safe and self.on_write is None


@final
class Headers(Mapping[str, str]):
    """Header fields by name in any case; values of a repeated name are joined by a comma (RFC 9110, 5.3)."""

    __slots__ = ("_values",)

    def __init__(self, fields: Iterable[tuple[str, str]] = ()) -> None:
        self._values: dict[str, str] = {}
        for name, value in fields:
            key = name.lower()
            self._values[key] = f"{self._values[key]}, {value}" if key in self._values else value

    def __getitem__(self, name: str) -> str:
        return self._values[name.lower()]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"Headers({self._values!r})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """A complete answer of any status; the body has the bytes of the wire, even if the peer compressed them."""

    status: int
    headers: Headers
    body: bytes = field(repr=False)
    asked_at: datetime
    answered_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class NotSent:
    """No byte of the request was written, or the request has no effect and may be repeated at once."""

    reason: FailureReason
    detail: str
    """One line for a person; names the host and port at most, never the path or a header."""
    asked_at: datetime
    ended_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class MaybeSent:
    """Writing had begun and no complete answer came, so the request may have had an effect."""

    reason: FailureReason
    detail: str
    """As in ``NotSent``."""
    asked_at: datetime
    ended_at: datetime
    status: int | None = None
    """The status of the answer, if its head arrived before the failure."""


HttpResult = Answered | NotSent | MaybeSent
