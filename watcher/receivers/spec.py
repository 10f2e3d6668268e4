"""What a receiver is made from, what it can do, and the error that says why one cannot be made."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, Protocol, TextIO
from urllib.parse import urlsplit

from watcher.clock import Clock
from watcher.core.delivery.model import Dedup, DeliveryRequest, Outcome
from watcher.core.event import Event
from watcher.core.secret import Secret
from watcher.http import HttpClient

NO_HEADERS: Final[Mapping[str, Secret]] = MappingProxyType({})
PACE_KEY_LENGTH: Final = 16


class InvalidReceiverError(ValueError):
    """A receiver cannot be made from what the configuration gives; the text says what to write instead."""

    def __init__(self, name: str, key: str, fault: str) -> None:
        super().__init__(f"receiver {name!r}: {key}: {fault}")
        self.name = name
        self.key = key
        self.fault = fault


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """One receiver as the configuration describes it; a kind takes the fields that it needs."""

    name: str
    http: HttpClient
    clock: Clock
    url: Callable[[], Secret] | Secret | None = None
    """What can change is asked for at each attempt, as are the headers and the secret."""
    secret: Callable[[], Secret] | None = None
    """Asked at each attempt, so that a file that changes is read anew."""
    channel: str = ""
    """Where a bot posts to: an id, not a name."""
    api_url: str = ""
    """Where the Web API of a bot is."""
    headers: Mapping[str, Secret] = field(default_factory=lambda: NO_HEADERS, hash=False)
    stream: TextIO | None = None
    """Where the kinds without a network write; standard output where it is left out."""

    def require_url(self) -> Secret:
        """Return the address as it is now; a receiver that posts cannot be made without one."""
        url = self.url() if callable(self.url) else self.url
        if url is None or not is_http_url(url.reveal()):
            fault = 'give an address that begins with https:// (or http://), e.g. url = { env = "HOOK_URL" }'
            raise InvalidReceiverError(self.name, "url", fault)
        return url


def is_http_url(text: str) -> bool:
    """Say whether ``text`` is an address that can be posted to."""
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.hostname)


class Receiver(Protocol):
    """One place that is told: it makes one attempt and classifies it, without retrying or sleeping."""

    @property
    def name(self) -> str:
        """Its name in the configuration."""
        ...

    @property
    def kind(self) -> str:
        """Its key in ``KINDS``."""
        ...

    @property
    def pace_key(self) -> str:
        """The channel behind it: receivers of one lane share one pace. Never an address or a secret."""
        ...

    @property
    def pace_seconds(self) -> float:
        """The least time between the starts of two attempts in a lane."""
        ...

    @property
    def dedup(self) -> Dedup:
        """What the other side knows of a message that is sent twice; ``BY_LOOKUP`` needs a ``look_up``, see flow."""
        ...

    def seal(self, event: Event, receiver_seq: int) -> bytes | None:
        """Return the bytes to keep with the delivery and to send at every attempt; ``None`` where none are kept."""
        ...

    def seal_group(self, entries: Sequence[tuple[Event, int]], also: Sequence[Event]) -> bytes | None:
        """Return what is kept of several events that go as one; ``also`` names those that went by themselves."""
        ...

    async def send(self, request: DeliveryRequest) -> Outcome:
        """Make one attempt and say what came of it."""
        ...


def pace_key_of(url: Secret) -> str:
    """Return the lane of an address: equal for equal addresses, and telling nothing about them."""
    return hashlib.sha256(url.reveal().encode()).hexdigest()[:PACE_KEY_LENGTH]
