"""Matchers: the events that a route or a silence takes, by patterns for the facts of an event.

A pattern is a literal text, or one with ``*`` (any text, also none) or ``?`` (any one character), as in a shell. Case
counts. An event without the fact of a key is not matched: an incident of an account has no service.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from types import MappingProxyType
from typing import Final

from watcher.core.event import DEFAULT_KINDS, Event, Kind

ALL_KINDS: Final = "*"
EVERY_KIND: Final[frozenset[str]] = frozenset(Kind)
KIND: Final = "kind"
LABEL: Final = "labels."
"""The prefix of a label's key, before the label's name."""

Patterns = tuple[str, ...]
"""Patterns of which one must match."""
NO_PATTERNS: Final[Mapping[str, Patterns]] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Mismatch:
    """The first key on which an event and a matcher differ."""

    key: str
    wanted: Patterns
    """Empty for the default kinds."""
    found: str | None
    """The event's value; ``None`` where the event has none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Matcher:
    """Conditions on an event; an event matches where every key matches."""

    kinds: frozenset[str] | None = None
    """``None`` for the default kinds."""
    patterns: Mapping[str, Patterns] = field(default_factory=lambda: NO_PATTERNS, hash=False)
    """By key: ``account``, ``service``, ``type``, ``version``, ``status``, ``from``, or ``labels.`` and a name."""

    @property
    def matched_kinds(self) -> frozenset[str]:
        """Every kind that can match, by its own name."""
        if self.kinds is None:
            return DEFAULT_KINDS
        return EVERY_KIND if ALL_KINDS in self.kinds else self.kinds

    def mismatch(self, event: Event) -> Mismatch | None:
        """Return the first key on which the event differs; ``None`` where it matches."""
        if event.kind not in self.matched_kinds:
            return Mismatch(key=KIND, wanted=tuple(sorted(self.kinds or ())), found=event.kind.value)
        facts = facts_of(event) if self.patterns else {}
        for key, wanted in self.patterns.items():
            found = facts.get(key)
            if found is None or not any(matches_pattern(found, pattern) for pattern in wanted):
                return Mismatch(key=key, wanted=wanted, found=found)
        return None

    def covers(self, other: Matcher, kind: str) -> bool:
        """Return whether this matcher surely matches every event of ``kind`` that ``other`` matches."""
        return kind in self.matched_kinds and all(
            key in other.patterns and all(_any_covers(wanted, narrow) for narrow in other.patterns[key])
            for key, wanted in self.patterns.items()
        )


def facts_of(event: Event) -> dict[str, str]:
    """Return the facts of an event that patterns can match, by key, without the empty ones."""
    facts = {
        "account": event.account,
        "service": event.service,
        "type": event.training_type,
        "version": event.version,
        "status": event.to_status,
        "from": event.from_status,
        **{LABEL + name: value for name, value in event.labels.items()},
    }
    return {key: value for key, value in facts.items() if value}


def patterns_of(match: Matcher) -> dict[str, list[str]]:
    """Return a matcher as plain JSON, by key as ``matcher_of`` reads it; without ``kind`` for the default kinds."""
    kinds = {} if match.kinds is None else {KIND: sorted(match.kinds)}
    return kinds | {key: list(patterns) for key, patterns in match.patterns.items()}


def matcher_of(patterns: Mapping[str, Iterable[str]]) -> Matcher:
    """Return the matcher of these patterns by key."""
    others = {key: tuple(wanted) for key, wanted in patterns.items()}
    kinds = others.pop(KIND, None)
    return Matcher(kinds=None if kinds is None else frozenset(kinds), patterns=MappingProxyType(others))


def matches_pattern(text: str, pattern: str) -> bool:
    """Return whether a text matches a pattern."""
    # A bracket is literal here; in shells it opens a set of characters.
    return fnmatchcase(text, pattern.replace("[", "[[]"))


def is_pattern(text: str) -> bool:
    """Return whether a text contains ``*`` or ``?``, so that it may match several values."""
    return "*" in text or "?" in text


def _any_covers(wanted: Patterns, narrow: str) -> bool:
    return any(_covers(wide, narrow) for wide in wanted)


def _covers(wide: str, narrow: str) -> bool:
    """Return whether each text that matches ``narrow`` surely matches ``wide``."""
    # A star of ``narrow`` may stand for more than the one character that a question mark matches.
    return wide == narrow or (("?" not in wide or not is_pattern(narrow)) and matches_pattern(narrow, wide))
