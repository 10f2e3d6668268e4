"""The advice for each cause of an incident, for somebody who was just woken up.

Events store only the cause; the text is added where an event is shown.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final

from watcher.core.event import STORE_KINDS, IncidentFacts
from watcher.core.messages.language.phrases import Phrase
from watcher.core.messages.language.words import ENGLISH_WORDS, Words
from watcher.core.messages.text import TextLine, code, plain_text
from watcher.core.polling.result import Cause

CHECK_COMMAND: Final = "aitems-watcher check --online"
DISK_FULL: Final = "disk-full"
"""The write fault during which polling pauses."""
STORE_REMOVED: Final = "store-removed"
"""The write fault whose name says all of its detail."""
CLOCK_COMMAND: Final = "timedatectl set-ntp true"

REMEDIES: Final[Mapping[Cause, Phrase]] = MappingProxyType(
    {
        Cause.DNS: Phrase.REMEDY_DNS,
        Cause.CONNECT: Phrase.REMEDY_CONNECT,
        Cause.TLS: Phrase.REMEDY_TLS,
        Cause.DEADLINE: Phrase.REMEDY_DEADLINE,
        Cause.RESET: Phrase.REMEDY_DEADLINE,
        Cause.KEY: Phrase.REMEDY_KEY,
        Cause.PERMISSION: Phrase.REMEDY_PERMISSION,
        Cause.QUOTA: Phrase.REMEDY_QUOTA,
        Cause.THROTTLE: Phrase.REMEDY_RATE,
        Cause.RATE: Phrase.REMEDY_RATE,
        Cause.SERVER: Phrase.REMEDY_SERVER,
        Cause.BAD_ANSWER: Phrase.REMEDY_BAD_ANSWER,
        Cause.REFUSED: Phrase.REMEDY_REFUSED,
        Cause.CLOCK: Phrase.REMEDY_CLOCK,
        Cause.NOT_FOUND: Phrase.REMEDY_NOT_FOUND,
    }
)
"""The remedy for every cause; a test checks that none is missing."""

STORE_REMEDIES: Final[Mapping[str, tuple[Phrase, Phrase]]] = MappingProxyType(
    {
        "io-error": (Phrase.STORE_IO_ERROR, Phrase.REMEDY_IO_ERROR),
        "locked": (Phrase.STORE_LOCKED, Phrase.REMEDY_LOCKED),
        DISK_FULL: (Phrase.STORE_DISK_FULL, Phrase.REMEDY_DISK_FULL),
        STORE_REMOVED: (Phrase.STORE_REMOVED, Phrase.REMEDY_STORE_REMOVED),
        "database-away": (Phrase.STORE_AWAY, Phrase.REMEDY_AWAY),
    }
)
"""Each write fault by its code: its name and its remedy."""


def store_cause(cause: str, words: Words) -> str:
    """Write the code of a write fault in one or two words."""
    if cause in STORE_REMEDIES:
        return words.text(STORE_REMEDIES[cause][0])
    return words.text(Phrase.STORE_OTHER, cause=code(cause))


def store_advice(cause: str, words: Words = ENGLISH_WORDS) -> str:
    """Return the advice for the code of a write fault."""
    return _as_text(_store_remedy(cause, words))


def remedy_lines(facts: IncidentFacts, words: Words) -> Iterator[TextLine]:
    """Return the remedy for an incident, also for a cause that another version of the watcher stored."""
    if facts.kind in STORE_KINDS:
        yield from _store_remedy(facts.cause, words)
    elif facts.cause in set(Cause):
        yield from _remedy(Cause(facts.cause), words)
    else:
        yield words.say(Phrase.REMEDY_UNKNOWN)


def _store_remedy(cause: str, words: Words) -> Iterator[TextLine]:
    yield words.say(STORE_REMEDIES[cause][1] if cause in STORE_REMEDIES else Phrase.REMEDY_UNKNOWN)


def _remedy(cause: Cause, words: Words) -> Iterator[TextLine]:
    match cause:
        case Cause.CLOCK:
            yield words.say(Phrase.REMEDY_CLOCK, command=code(CLOCK_COMMAND))
        case Cause.KEY:
            yield words.say(Phrase.REMEDY_KEY)
            yield words.say(Phrase.REMEDY_KEY_TEST, command=code(CHECK_COMMAND))
        case _:
            yield words.say(REMEDIES[cause])


def advice(cause: Cause, words: Words = ENGLISH_WORDS) -> str:
    """Return the advice for a cause of failed polls."""
    return _as_text(_remedy(cause, words))


def advice_for(facts: IncidentFacts) -> str:
    """Return the advice for an incident."""
    return _as_text(remedy_lines(facts, ENGLISH_WORDS))


def _as_text(lines: Iterator[TextLine]) -> str:
    return ". ".join(plain_text(line) for line in lines)
