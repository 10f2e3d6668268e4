"""A message about one event, neutral to the medium that shows it, and the settings of its rendering."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from watcher.core.messages.language.words import ENGLISH_WORDS, Words, joined
from watcher.core.messages.text import TextLine

NO_ZONES: Final[Mapping[str, tzinfo]] = MappingProxyType({})


class Severity(StrEnum):
    """The severity of a message, from the lowest to the highest."""

    OK = "ok"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class Symbol(StrEnum):
    """The sign in front of a message; they differ in shape, so that no meaning depends on a colour."""

    FAILED = "❌"
    SUCCEEDED = "✅"
    LATE = "⏳"
    """Later than expected; nothing has failed."""
    CHECK = "⚠️"
    """Somebody has to check what it is."""
    MOVED = "🔄"
    POLLING = "🔌"
    """AiTEMS cannot be polled; says nothing about a training."""
    RECEIVER = "📭"
    STORE = "💾"
    RECOVERED = "🆗"
    """A failure of polling, of a receiver or of the store is over; never that a training completed."""
    SUMMARY = "📋"
    TEST = "🔔"


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """The settings of a receiver that the text of its messages depends on."""

    words: Words = ENGLISH_WORDS
    receiver: str = ""
    """The receiver's name."""
    host: str = ""
    """This machine's name; empty where it is not known."""
    several_accounts: bool = False
    """Whether a service is named with its account."""
    zone: tzinfo = UTC
    """The zone of times in plain text; Slack's blocks show times in the reader's zone."""
    account_zones: Mapping[str, tzinfo] = field(default_factory=lambda: NO_ZONES, hash=False)
    """The zone of ``createdDate`` by account."""


PLAIN_STYLE: Final = Style()


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """The text about one event."""

    severity: Severity
    sign: Symbol
    headline: str
    """The happening, in our own words."""
    subject: TextLine
    """The training, service, account, store or receiver."""
    change: TextLine = ()
    """The change of status, where it stands beside the subject."""
    facts: tuple[TextLine, ...] = ()
    """At most three lines, the most important first."""
    rows: tuple[TextLine, ...] = ()
    """A list below the facts."""
    remedy: tuple[TextLine, ...] = ()
    """The remedy for a list, below it."""
    marks: tuple[TextLine, ...] = ()
    """Reservations, each a line of its own."""
    muted: TextLine = ()
    """The last line: bounds, links and id."""
    preview: tuple[TextLine, ...] | None = None
    """The lines of a phone's preview after the first; ``None`` stands for the facts."""

    @property
    def title(self) -> TextLine:
        """The headline and the subject in one line, without the sign."""
        return joined(((self.headline,), self.subject, self.change), " · ")
