"""The settings that a receiver is made from, and the error about settings that make none."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, TextIO
from urllib.parse import urlsplit

from watcher.clock import Clock
from watcher.core.secret import Secret
from watcher.http import HttpClient

NO_HEADERS: Final[Mapping[str, Secret]] = MappingProxyType({})
PACE_KEY_LENGTH: Final = 16


class InvalidReceiverError(ValueError):
    """The configuration of a receiver cannot be used; the message says how to correct it."""

    def __init__(self, name: str, key: str, fault: str) -> None:
        super().__init__(f"receiver {name!r}: {key}: {fault}")
        self.name = name
        self.key = key
        self.fault = fault


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """One receiver as the configuration describes it; each kind uses the fields that it needs."""

    name: str
    http: HttpClient
    clock: Clock
    url: Callable[[], Secret] | Secret | None = None
    """The address; a secret file is read at each attempt, as for the headers and the secret."""
    secret: Callable[[], Secret] | None = None
    """Called at each attempt, so that a changed file takes effect."""
    channel: str = ""
    """The channel of a bot: an id, not a name."""
    api_url: str = ""
    """The address of the Web API of a bot."""
    headers: Mapping[str, Secret] = field(default_factory=lambda: NO_HEADERS, hash=False)
    stream: TextIO | None = None
    """The output of kinds without a network; standard output where it is left out."""

    def require_url(self) -> Secret:
        """Return the current address.

        Raises:
            InvalidReceiverError: there is none, or it is not an HTTP address.
        """
        url = self.url() if callable(self.url) else self.url
        if url is None or not is_http_url(url.reveal()):
            fault = 'give an address that begins with https:// (or http://), e.g. url = { env = "HOOK_URL" }'
            raise InvalidReceiverError(self.name, "url", fault)
        return url


def is_http_url(text: str) -> bool:
    """Say whether ``text`` is an HTTP address with a host."""
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.hostname)


def pace_key_of(url: Secret) -> str:
    """Return the channel key of an address: equal addresses have equal keys, and a key does not reveal its address."""
    return hashlib.sha256(url.reveal().encode()).hexdigest()[:PACE_KEY_LENGTH]
