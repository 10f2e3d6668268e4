"""The observer of the stages' work; this one counts nothing."""

from __future__ import annotations

from typing import Final

from watcher.core.delivery.model import Verdict
from watcher.core.event import Event


class Observer:
    """Takes the reports of the stages, decides nothing and never raises.

    The metrics override every method. Tests and commands that end on their own use it as it is.
    """

    def progressed(self, loop: str, within_seconds: float) -> None:
        """Note that a loop made progress, and that it will again within so long."""

    def ended(self, loop: str) -> None:
        """Note that a loop has stopped in order."""

    def poll_started(self, late_seconds: float) -> None:
        """Note how long after its due time a poll starts."""

    def asked(self, account: str, call: str, outcome: str) -> None:
        """Note the outcome of a call: ``seen``, or the cause of its failure."""

    def routed(self, event: Event) -> None:
        """Note an event that was routed."""

    def settled(self, receiver: str, verdict: Verdict) -> None:
        """Note the verdict on a delivery attempt."""


UNOBSERVED: Final = Observer()
