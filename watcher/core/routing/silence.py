"""Silences: quiet for what a matcher matches, always with an end, an author and a reason."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from watcher.core.event import RECEIVER_KINDS, STORE_KINDS, Event
from watcher.core.routing.matcher import Matcher, words_of
from watcher.core.timestamps import require_utc, to_text

EXEMPT: Final = STORE_KINDS | RECEIVER_KINDS
"""What is told whatever is silenced: without it nobody would know that the watcher cannot tell."""
LONGEST: Final = timedelta(days=365)


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """Quiet for a while, by somebody, for a reason."""

    id: str
    match: Matcher
    starts_at: datetime
    ends_at: datetime
    author: str
    reason: str
    ended_at: datetime | None = None
    """When somebody ended it before its time."""
    ended_by: str | None = None

    def __post_init__(self) -> None:
        for moment in (self.starts_at, self.ends_at):
            require_utc(moment)

    @property
    def over_at(self) -> datetime:
        """When it is over, be it by its time or by somebody."""
        return self.ends_at if self.ended_at is None else min(self.ended_at, self.ends_at)

    def active(self, now: datetime) -> bool:
        """Say whether it holds at this time; its end is not within."""
        # One that somebody ended stays so, also where the wall clock steps back to before that.
        return self.ended_at is None and self.starts_at <= now < self.ends_at


def is_allowed_length(lasts: timedelta) -> bool:
    """Say whether a silence may last this long: more than no time, and at most ``LONGEST``."""
    return timedelta() < lasts <= LONGEST


def to_json(silence: Silence) -> dict[str, object]:
    """Return a silence as plain JSON, for programs."""
    return {
        "id": silence.id,
        "match": words_of(silence.match),
        "starts_at": to_text(silence.starts_at),
        "ends_at": to_text(silence.ends_at),
        "by": silence.author,
        "why": silence.reason,
        "ended_at": None if silence.ended_at is None else to_text(silence.ended_at),
        "ended_by": silence.ended_by,
    }


def covering(event: Event, silences: Iterable[Silence], now: datetime) -> Silence | None:
    """Return the first silence that takes an event which is routed now, if one does."""
    if event.kind in EXEMPT:
        return None
    return next((item for item in silences if item.active(now) and item.match.difference(event) is None), None)
