"""The parts of a decision about a training: context, reason and result."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from watcher.core.event import NO_LABELS, NO_LINKS, Event
from watcher.core.training.catch_up import CatchUp
from watcher.core.training.model import Snapshot
from watcher.core.training.run import EndedRun
from watcher.core.training.stuck_rules import LEARNED_RULES, StuckRules


class DecisionReason(StrEnum):
    """The reason of a decision; stored with the event and shown by its value."""

    BASELINE = "baseline"
    NEW_VERSION = "new-version"
    NEW_SERVICE = "new-service"
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
    """Views do not find the training."""
    NOT_LISTED = "not-listed"
    """Two lists in a row lack the training, and a view does not find it."""
    NOT_LISTED_WITH_OTHERS = "not-listed-with-others"
    """Two lists in a row lack the training and others, and views do not find some of those."""
    AWAITS_VIEW = "awaits-view"
    """Two lists in a row lack the training; a view decides whether it is gone."""
    FOUND_AGAIN = "found-again"
    TOOK_TOO_LONG = "took-too-long"
    """A fresh answer still shows a stage after its limit, or after that of the run."""
    TOOK_SHORT = "took-short"
    """A run completed in less than half of the time of 19 of 20 earlier ones."""
    NO_START = "no-start"
    """No training started by the expected time plus the tolerance."""
    NO_COMPLETION = "no-completion"
    """No training completed for longer than ``stale_after``."""
    UPDATE_ENDED = "update-ended"
    """A list of updates shows the end of one."""
    NO_RESULT = "no-result"
    """A completed training has no inference result after its limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionContext:
    """The facts of a decision beside the snapshot and the answer."""

    epoch: str
    """The store's epoch; part of every event's id."""
    polling_since: datetime
    """The start of polling without a gap; an earlier change is marked as ``late``."""
    service_was_gone: bool = False
    """Whether the service did not exist before that start."""
    new_since: datetime | None = None
    """Start of the last list without this training; ``None`` makes its first answer a baseline.

    So does a ``createdDate`` of more than a day before that list.
    """
    service_name: str | None = None
    labels: Mapping[str, str] = field(default_factory=lambda: NO_LABELS, hash=False)
    links: Mapping[str, str] = field(default_factory=lambda: NO_LINKS, hash=False)
    """The addresses of the training's pages."""
    stuck_rules: StuckRules = LEARNED_RULES
    catch_up: CatchUp | None = None
    """The catch-up that groups late changes, e.g. that after the incident that hid them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The new snapshot, the event to announce if any, and the reason."""

    snapshot: Snapshot
    reason: DecisionReason
    event: Event | None = None
    ended_run: EndedRun | None = None
    """The run that ended with the event."""
    fast: Event | None = None
    """The event that says that it took very little time; it follows the other."""

    @property
    def wants_confirmation(self) -> bool:
        """Whether a view should confirm the answer now."""
        return self.reason is DecisionReason.AWAITS_CONFIRMATION

    @property
    def wants_view(self) -> bool:
        """Whether a view should say whether the training is gone."""
        return self.reason is DecisionReason.AWAITS_VIEW
