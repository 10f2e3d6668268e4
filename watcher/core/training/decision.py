"""What a decision about a training is made of: its background, its reason, and what comes of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from watcher.core.event import NO_LABELS, Event
from watcher.core.training.model import Snapshot


class DecisionReason(StrEnum):
    """Why a decision came out as it did; kept with the event and shown under the same word."""

    BASELINE = "baseline"
    NEW_VERSION = "new-version"
    UNCHANGED = "unchanged"
    NOT_REPEATED = "not-repeated"
    AWAITS_REPEAT = "awaits-repeat"
    AWAITS_CONFIRMATION = "awaits-confirmation"
    MOVED_FORWARD = "moved-forward"
    MOVED_BACK = "moved-back"
    RESTARTED = "restarted"
    ENDED = "ended"
    ENDED_UNCONFIRMED = "ended-unconfirmed"
    UNKNOWN_STATUS = "unknown-status"
    NOT_FOUND = "not-found"
    FOUND_AGAIN = "found-again"


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionContext:
    """What a decision must know beside the snapshot and the answer."""

    epoch: str
    """The store's epoch; part of every event's id."""
    polling_since: datetime
    """Since when we have looked without a gap; what changed before is told as ``late``."""
    new_since: datetime | None = None
    """Start of the last whole list without this training; ``None`` makes its first sight a baseline."""
    service_name: str | None = None
    labels: Mapping[str, str] = field(default_factory=lambda: NO_LABELS, hash=False)
    catch_up_id: str | None = None
    """What late changes are told on together, e.g. the outage that hid them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What to remember and what to tell, with the reason."""

    snapshot: Snapshot
    reason: DecisionReason
    event: Event | None = None

    @property
    def wants_confirmation(self) -> bool:
        """Whether a view should be asked for now."""
        return self.reason is DecisionReason.AWAITS_CONFIRMATION
