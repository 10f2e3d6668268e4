"""The parts of a message about several events: its first line, facts, and a row for each event."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from watcher.core.messages.language.phrases import Phrase
from watcher.core.messages.language.words import Words, capital, joined
from watcher.core.messages.message import Severity, Symbol
from watcher.core.messages.text import Code, TextLine

SHORT_WAIT: Final = timedelta(seconds=10)
"""A wait below this needs no explanation."""


class Result(StrEnum):
    """The group of rows that an event belongs to, in the order of the message."""

    FAILED = "failed"
    STUCK = "stuck"
    OVERDUE = "overdue"
    GONE = "gone"
    RESTARTED = "restarted"
    COMPLETED = "completed"
    PROGRESS = "progress"
    NEW = "new"
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupEntry:
    """One event of several."""

    result: Result
    service: Code
    """The service; for an event without one, its subject."""
    training_type: Code | None
    version: Code | None
    from_status: str
    """Empty where it is not known."""
    status: TextLine
    """The new status, or the headline of an event that is not about a training."""
    change: TextLine
    """The old and the new status."""
    not_seen: TextLine
    """The stages between them that no poll returned."""
    duration: str
    """How long the run took, or what may be stuck lasts; empty where it is not known."""
    duration_seconds: float
    usual: str = ""
    """How long completed runs take, with the end of a run; empty where it is not known."""
    failures: int = 0
    """The place of a failure in a row; 0 with any other event."""
    last_good: str = ""
    """How long ago the last version completed, with a failure or an absence; empty where it is not known."""
    expected_at: datetime | None = None
    """The time by which a retraining was expected that did not come."""
    bounds: tuple[datetime, datetime] | None
    """The bounds of the event; ``None`` where those of the whole message say the same."""
    marks: tuple[str, ...]
    """The marks, in one or two words; only those that not every event has."""

    @property
    def subject(self) -> TextLine:
        """The training, or the other subject of the event."""
        parts = (self.service, self.training_type, self.version)
        return joined(((part,) for part in parts if part is not None), " · ")

    def row(self, words: Words, *, below_service: bool) -> TextLine:
        """Return the whole line; ``below_service`` leaves the service out, which a heading names."""
        subject = self.subject
        if below_service and self.training_type is not None and self.version is not None:
            subject = (self.training_type, " · ", self.version)
        change = self.change
        if self.duration and self.result is not Result.STUCK:
            change = words.say(Phrase.ROW_AFTER, change=change, duration=self.duration)
        change = joined((change, self.not_seen), "; ")
        if self.failures > 1:
            change = words.joined((change, words.say(Phrase.ROW_STREAK, count=self.failures)))
        alone = words.say(Phrase.ROW_ALONE, subject=subject)
        line = self._with_bounds(words.say(Phrase.ROW, subject=subject, change=change) if change else alone, words)
        return joined((line, *((mark,) for mark in self.marks)), ", ")

    def _with_bounds(self, line: TextLine, words: Words) -> TextLine:
        if self.bounds is None:
            return line
        after, before = self.bounds
        if after == before:
            return words.say(Phrase.ROW_AT, row=line, time=after)
        return words.say(Phrase.ROW_BOUNDS, row=line, after=after, before=before)


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupSection:
    """Rows below one heading."""

    heading: TextLine
    rows: tuple[TextLine, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupMessage:
    """The text about several events, failures first."""

    severity: Severity
    """The highest severity among the events."""
    sign: Symbol
    headline: str
    """The happening, in our own words."""
    title: TextLine
    """The first line without the sign: the headline, then a training, services with their counts, or other changes."""
    facts: tuple[TextLine, ...]
    entries: tuple[GroupEntry, ...]
    sections: tuple[GroupSection, ...]
    """A row for every entry."""
    all_failed: bool
    caption: Phrase
    """The caption of the entries as a table."""
    also: tuple[TextLine, ...]
    """The subject and status of each event of the same catch-up that was sent separately."""
    marks: tuple[TextLine, ...]
    muted: TextLine
    """The last line: the bounds of all events, and the incident that hid them."""
    recorded_at: datetime
    """The time at which the oldest event was recorded."""
    words: Words

    def waited(self, now: datetime) -> TextLine:
        """Say how long the oldest event waited for the message until ``now``, whatever the reason; empty for seconds.

        It may have waited for a catch-up, for the pace of the channel, or for the receiver to work again.
        """
        waited = now - self.recorded_at
        if waited < SHORT_WAIT:
            return ()
        return self.words.say(Phrase.SENT_TOGETHER, duration=self.words.duration(waited.total_seconds()))

    def sent_separately(self, most: int) -> TextLine:
        """Name at most ``most`` of the events that were sent separately, and count the others; empty without any."""
        if not self.also:
            return ()
        if most == 0:
            return self.words.say(Phrase.SENT_SEPARATELY_COUNT, count=len(self.also))
        return capital(self.words.say(Phrase.SENT_SEPARATELY, list=self.words.listed(self.also, most, "; ")))
