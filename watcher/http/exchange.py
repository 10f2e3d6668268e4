"""What goes through the HTTP seam: a request, and the one of three things that comes of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import final

from watcher.core.secret import Secret

Signer = Callable[[str, bytes], Mapping[str, str]]
"""Takes the method and the path with query exactly as they go out, returns the headers that sign them."""


class FailureReason(StrEnum):
    """Why there is no answer; the word stands in logs and metrics."""

    ADDRESS = "address-refused"
    """The host is, or leads to, an address that is not connected to, see ``core.addresses``."""
    DNS = "dns"
    CONNECT = "connect"
    TLS = "tls"
    PROXY = "proxy"
    """The proxy refused to open a way to the host."""
    INVALID = "invalid-request"
    """The URL or a header cannot be put on the wire at all."""
    DEADLINE = "deadline"
    RESET = "reset"
    """The connection ended without an answer."""
    TRUNCATED = "truncated"
    """The connection ended within the body."""
    PROTOCOL = "protocol"
    """What came back is not HTTP."""
    TOO_LARGE = "too-large"


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpSettings:
    """How one peer is reached; ``None`` leaves a choice to the environment's variables.

    ``ca_file`` (PEM) replaces the system's authorities; ``client_cert`` (PEM) holds certificate and key, without
    a passphrase. ``proxy`` is an ``http://`` or ``https://`` URL, credentials may stand in it.
    """

    timeout_seconds: float = 10.0
    """For the whole call: name, connection, request, and the last byte of the body."""
    max_body_bytes: int = 4 * 1024 * 1024
    """Counted as the bytes come in; nothing is ever inflated."""
    max_connections: int = 8
    keep_alive_seconds: float = 5.0
    """How long an idle connection may be used again; shorter than servers keep theirs, so that few die in use."""
    proxy: Secret | str | None = field(default=None, repr=False)
    ca_file: Path | None = None
    client_cert: Path | None = None
    guarded: bool = False
    """Whether addresses of metadata services and the like are refused, see ``core.addresses``.

    Behind a proxy, names are resolved by the proxy: there only an address in the URL itself is refused.
    """


class HttpSetupError(ValueError):
    """The settings cannot work: a certificate that cannot be read, or a proxy of an unknown kind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpRequest:
    """One request; URL, headers and body are kept out of ``repr`` as they may carry secrets."""

    method: str = "GET"
    url: str | Secret = field(repr=False)
    headers: Mapping[str, str | Secret] = field(default_factory=dict, repr=False, hash=False)
    body: bytes | None = field(default=None, repr=False)
    signer: Signer | None = field(default=None, repr=False)
    """Called once, when the request is put together for sending."""
    on_write: Callable[[], None] | None = field(default=None, repr=False)
    """Called when the connection stands and the first byte is about to be written."""


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
    """A whole answer of any status; the body is as it came, also where the peer encoded it unasked."""

    status: int
    headers: Headers
    body: bytes = field(repr=False)
    asked_at: datetime
    answered_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class NotSent:
    """Not a byte of the request was written: it surely had no effect."""

    reason: FailureReason
    detail: str
    """One line for a person; names the host and port at most, never the path or a header."""
    asked_at: datetime
    ended_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class MaybeSent:
    """Writing had begun and no whole answer came: the request may have had its effect or not."""

    reason: FailureReason
    detail: str
    """As in ``NotSent``."""
    asked_at: datetime
    ended_at: datetime
    status: int | None = None
    """The answer's status, where its head arrived before the body failed."""


HttpResult = Answered | NotSent | MaybeSent
