"""The receiver as every stage sees it: one destination that makes single attempts and classifies them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, Protocol, runtime_checkable

from watcher.core.delivery.lookup import LookupResult
from watcher.core.delivery.model import Dedup, DeliveryRequest, Outcome
from watcher.core.event import Event

CONNECTIONS: Final = 32
"""The most requests to one receiver at a time, each on a connection of its own."""


class Receiver(Protocol):
    """One destination: it makes one attempt and classifies the outcome, without a retry and without a sleep."""

    @property
    def name(self) -> str:
        """The name in the configuration."""
        ...

    @property
    def kind(self) -> str:
        """The kind in the configuration, e.g. ``webhook``."""
        ...

    @property
    def pace_key(self) -> str:
        """The channel behind the receiver: two receivers of one Slack channel share its pace. Never a secret."""
        ...

    @property
    def pace_seconds(self) -> float:
        """The least time between the starts of two attempts in the channel; 0 for no limit."""
        ...

    @property
    def batch_max(self) -> int:
        """The most events that wait for the channel and may share one message; 1 for a message an event."""
        ...

    @property
    def dedup(self) -> Dedup:
        """How the other side treats a message that arrives twice; ``BY_LOOKUP`` needs ``SupportsLookup``."""
        ...

    def seal(self, event: Event, receiver_seq: int) -> bytes | None:
        """Render the bytes that are stored and sent at every attempt; ``None`` where each attempt renders anew."""
        ...

    def seal_group(self, entries: Sequence[tuple[Event, int]], also: Sequence[Event]) -> bytes | None:
        """Render a group as ``seal`` renders one event; ``also`` names events that were sent on their own."""
        ...

    async def send(self, request: DeliveryRequest, /) -> Outcome:
        """Make one attempt; never raises for a fault of the other side."""
        ...


@runtime_checkable
class SupportsLookup(Protocol):
    """A receiver that can find out whether a message arrived."""

    async def look_up(self, requests: Sequence[DeliveryRequest]) -> Mapping[str, LookupResult]:
        """Look up all of them at once; return the results by delivery id. Never raises for the other side."""
        ...
