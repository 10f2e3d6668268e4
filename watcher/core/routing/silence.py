"""Silences: rules that stop messages about matching events, each with an end, an author and a reason."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from watcher.core.event import RECEIVER_KINDS, STORE_KINDS, Event
from watcher.core.routing.matcher import Matcher, matches_pattern, patterns_of
from watcher.core.timestamps import require_utc, to_text
from watcher.core.training.model import ServiceRef, TrainingRef

EXEMPT: Final = STORE_KINDS | RECEIVER_KINDS
"""Kinds that no silence stops: without them nobody would notice that the watcher cannot notify."""
LONGEST: Final = timedelta(days=365)
REASON_MAX: Final = 1000
"""The most characters of a reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """A rule that stops messages about matching events for a limited time."""

    id: str
    match: Matcher
    starts_at: datetime
    ends_at: datetime
    author: str
    reason: str
    ended_at: datetime | None = None
    """The time when somebody ended it early."""
    ended_by: str | None = None

    def __post_init__(self) -> None:
        for time in (self.starts_at, self.ends_at):
            require_utc(time)

    @property
    def over_at(self) -> datetime:
        """The actual end: the planned one, or an earlier one by an operator."""
        return self.ends_at if self.ended_at is None else min(self.ended_at, self.ends_at)

    def active(self, now: datetime) -> bool:
        """Return whether the silence applies at this time; its end is exclusive."""
        # An ended silence stays ended, even if the wall clock steps back to before that.
        return self.ended_at is None and self.starts_at <= now < self.ends_at


def is_allowed_length(lasts: timedelta) -> bool:
    """Say whether a silence may last this long: more than no time, and at most ``LONGEST``."""
    return timedelta() < lasts <= LONGEST


def to_json(silence: Silence) -> dict[str, object]:
    """Return a silence as plain JSON, for programs."""
    return {
        "id": silence.id,
        "match": patterns_of(silence.match),
        "starts_at": to_text(silence.starts_at),
        "ends_at": to_text(silence.ends_at),
        "by": silence.author,
        "why": silence.reason,
        "ended_at": None if silence.ended_at is None else to_text(silence.ended_at),
        "ended_by": silence.ended_by,
    }


def covering(event: Event, silences: Iterable[Silence], now: datetime) -> Silence | None:
    """Return the first active silence that matches an event; ``None`` where there is none or the kind is exempt."""
    if event.kind in EXEMPT:
        return None
    return next((item for item in silences if item.active(now) and item.match.mismatch(event) is None), None)


def may_concern(silence: Silence, service: ServiceRef, training: TrainingRef | None = None) -> bool:
    """Return whether a silence may match events of a service, or of one training of it; kind and labels are open."""
    facts = {"account": service.account, "service": service.service}
    if training is not None:
        facts |= {"type": training.type, "version": training.version}
    return all(
        any(matches_pattern(facts[key], pattern) for pattern in wanted)
        for key, wanted in silence.match.patterns.items()
        if key in facts
    )
