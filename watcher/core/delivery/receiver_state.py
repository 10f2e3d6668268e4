"""The recorded state of a receiver; ``receiver_health`` decides how it changes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote

from watcher.core.delivery.reason import NO_REASON, Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiverState:
    """The recorded state of a receiver."""

    name: str
    seq: int = 0
    """The number of the latest event about it."""
    failing_since: datetime | None = None
    troubled_since: datetime | None = None
    """Start of the first attempt without a success since the last success, or since nothing that was tried waited.

    A success does not end it while an urgent delivery that has failed waits; it then is not before that delivery.
    """
    parked: bool = False
    """Whether it refuses permanently, so that only its oldest delivery is tried."""
    reason: Reason = NO_REASON
    answer: str = ""

    @property
    def subject(self) -> str:
        """The subject of its events, e.g. ``receiver:ml-ops``."""
        return f"receiver:{quote(self.name, safe='')}"
