"""The observer that keeps the pulse of the stages."""

from __future__ import annotations

from watcher.clock import Clock
from watcher.core.delivery import Verdict
from watcher.core.event import Event
from watcher.core.pulse import Pulse


class PulseKeeper:
    """Notes when each stage turns; what the stages did is nobody's concern here."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.pulse = Pulse()

    def turned(self, loop: str, within_seconds: float) -> None:
        """Note that a loop turns, and that it will again within so long."""
        self.pulse.turned(loop, within_seconds, self._clock.monotonic())

    def ended(self, loop: str) -> None:
        """Note that a loop has stopped in order."""
        self.pulse.ended(loop)

    def look_started(self, late_seconds: float) -> None:
        """See ``Observer``."""

    def asked(self, account: str, call: str, outcome: str) -> None:
        """See ``Observer``."""

    def routed(self, event: Event) -> None:
        """See ``Observer``."""

    def settled(self, receiver: str, verdict: Verdict) -> None:
        """See ``Observer``."""
