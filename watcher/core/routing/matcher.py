"""Which events a route takes: words and patterns for what an event is about.

A pattern is a word with ``*`` (any text, none too) or ``?`` (any one character), as a shell has them; letters count as
they are written. An event that lacks what a key asks for is not matched: an account's incident has no service.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from types import MappingProxyType
from typing import Final

from watcher.core.event import DEFAULT_KINDS, Event, Kind

ALL_KINDS: Final = "*"
KIND: Final = "kind"
LABEL: Final = "labels."
"""Before a label's name, it makes the key of that label."""

Words = tuple[str, ...]
"""Words and patterns of which any one is to match."""
NO_WORDS: Final[Mapping[str, Words]] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Mismatch:
    """The first key by which an event is not matched."""

    key: str
    wanted: Words
    """Empty for the default kinds."""
    found: str | None
    """``None`` where the event has no such thing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Matcher:
    """What an event must be to be matched: every key must fit."""

    kinds: frozenset[str] | None = None
    """``None`` for the default kinds."""
    words: Mapping[str, Words] = field(default_factory=lambda: NO_WORDS, hash=False)
    """By key: ``account``, ``service``, ``type``, ``version``, ``status``, or ``labels.`` and a label's name."""

    @property
    def kinds_taken(self) -> frozenset[str]:
        """Every kind that may be matched, by its own name."""
        if self.kinds is None:
            return frozenset(DEFAULT_KINDS)
        return frozenset(Kind) if ALL_KINDS in self.kinds else self.kinds

    def difference(self, event: Event) -> Mismatch | None:
        """Return by what an event is not matched; ``None`` where it is."""
        if event.kind not in self.kinds_taken:
            return Mismatch(key=KIND, wanted=tuple(sorted(self.kinds or ())), found=event.kind.value)
        facts = facts_of(event)
        for key, wanted in self.words.items():
            found = facts.get(key)
            if found is None or not any(fits(found, word) for word in wanted):
                return Mismatch(key=key, wanted=wanted, found=found)
        return None

    def covers(self, other: Matcher, kind: str) -> bool:
        """Say whether every event of a kind that ``other`` matches is matched here too, as far as can be told."""
        return kind in self.kinds_taken and all(
            key in other.words and all(_any_covers(wanted, word) for word in other.words[key])
            for key, wanted in self.words.items()
        )


def facts_of(event: Event) -> dict[str, str]:
    """Return what an event is about, by key; what it lacks is left out."""
    facts = {
        "account": event.account,
        "service": event.service,
        "type": event.training_type,
        "version": event.version,
        "status": event.to_status,
        **{LABEL + name: value for name, value in event.labels.items()},
    }
    return {key: value for key, value in facts.items() if value}


def words_of(match: Matcher) -> dict[str, list[str]]:
    """Return a matcher as plain JSON, by key as ``matcher_of`` reads it; without ``kind`` for the default kinds."""
    kinds = {} if match.kinds is None else {KIND: sorted(match.kinds)}
    return kinds | {key: list(words) for key, words in match.words.items()}


def matcher_of(words: Mapping[str, Iterable[str]]) -> Matcher:
    """Return the matcher of words and patterns by key."""
    rest = {key: tuple(wanted) for key, wanted in words.items()}
    kinds = rest.pop(KIND, None)
    return Matcher(kinds=None if kinds is None else frozenset(kinds), words=MappingProxyType(rest))


def fits(text: str, word: str) -> bool:
    """Say whether a word or pattern is fit for a text."""
    # A bracket means nothing here: in shells it opens a set of characters.
    return fnmatchcase(text, word.replace("[", "[[]"))


def is_pattern(word: str) -> bool:
    """Say whether a word may stand for several."""
    return "*" in word or "?" in word


def _any_covers(wanted: Words, word: str) -> bool:
    return any(_covers(pattern, word) for pattern in wanted)


def _covers(pattern: str, word: str) -> bool:
    """Say whether whatever fits ``word`` surely fits ``pattern``."""
    # A star of the word may stand for more than the one character that a question mark takes.
    return pattern == word or (("?" not in pattern or not is_pattern(word)) and fits(word, pattern))
