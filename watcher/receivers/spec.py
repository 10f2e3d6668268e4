"""The settings that a receiver is made from, and the error about invalid settings."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final
from urllib.parse import urlsplit

from watcher.clock import Clock
from watcher.core.messages.message import PLAIN_STYLE, Style
from watcher.core.secret import Secret, hint
from watcher.http import HttpClient
from watcher.line_writer import LineWriter

NO_HEADERS: Final[Mapping[str, Secret]] = MappingProxyType({})
PACE_KEY_LENGTH: Final = 16


class InvalidReceiverError(ValueError):
    """A receiver's settings are invalid; the text says how to correct them."""

    def __init__(self, name: str, key: str, fault: str) -> None:
        super().__init__(f"receiver {name!r}: {key}: {fault}")
        self.name = name
        self.key = key
        self.fault = fault


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """The settings of one receiver; each kind uses the fields that it needs."""

    name: str
    http: HttpClient
    clock: Clock
    style: Style = PLAIN_STYLE
    """The settings of its messages; programs get the facts instead."""
    url: Callable[[], Secret] | Secret | None = None
    """The address, or a function that returns the present one at each attempt."""
    secret: Callable[[], Secret] | None = None
    """Called at each attempt, so that a changed file is read again."""
    channel: str = ""
    """The id of a bot's channel, not its name."""
    api_url: str = ""
    """The address of the Web API for a bot."""
    headers: Mapping[str, Secret] = field(default_factory=lambda: NO_HEADERS, hash=False)
    writer: LineWriter | None = None
    """The output of kinds without a network; standard output by default."""

    def require_url(self) -> Secret:
        """Return the present address.

        Raises:
            InvalidReceiverError: There is none, or it is no HTTP address.
        """
        url = self.url() if callable(self.url) else self.url
        if url is None or not is_http_url(url.reveal()):
            fault = 'set an address that begins with https:// (or http://), e.g. url = { env = "HOOK_URL" }'
            mistake = "" if url is None else hint(url)
            raise InvalidReceiverError(self.name, "url", f"it {mistake}" if mistake else fault)
        return url


def is_http_url(text: str) -> bool:
    """Return whether ``text`` is an HTTP address with a host."""
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.hostname)


def pace_key_of(url: Secret) -> str:
    """Return the pace key of an address: a hash, equal only for equal addresses."""
    return hashlib.sha256(url.reveal().encode()).hexdigest()[:PACE_KEY_LENGTH]
