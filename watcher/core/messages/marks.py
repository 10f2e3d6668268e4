"""The marks of events: the reservations of a message, as lines of their own and in a word or two."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Final

from watcher.core.event import Event, Mark
from watcher.core.messages.language.phrases import Phrase
from watcher.core.messages.language.words import ENGLISH_WORDS, Words
from watcher.core.messages.text import TextLine, code, rounded_bounds

OUTAGE_PREFIX: Final = "inc_"
"""The beginning of an incident's id; a catch-up with such an id follows an outage."""

_SHORT: Final[Mapping[Mark, Phrase]] = MappingProxyType(
    {
        Mark.LATE: Phrase.SHORT_LATE,
        Mark.RESTORED: Phrase.SHORT_RESTORED,
        Mark.NEW: Phrase.SHORT_NEW,
        Mark.UNCONFIRMED: Phrase.SHORT_UNCONFIRMED,
        Mark.UNKNOWN_STATUS: Phrase.SHORT_UNKNOWN_STATUS,
        Mark.FALLBACK: Phrase.SHORT_FALLBACK,
    }
)


def mark_lines(events: Sequence[Event], words: Words, *, late_is_said: bool = False) -> Iterator[TextLine]:
    """Return a line for each reservation that one of the events has; ``late_is_said`` leaves out that they are late."""
    late = [event for event in events if event.late]
    if late and not late_is_said:
        yield _late(late, words)
    if restored := [event for event in events if event.restored]:
        yield _restored(restored, words)
    if not all(event.confirmed for event in events):
        yield words.say(Phrase.MARK_UNCONFIRMED)
    if events[0].fallback_for is not None:
        yield words.say(Phrase.MARK_FOR_OTHER, receiver=code(events[0].fallback_for))


def _restored(events: Sequence[Event], words: Words) -> TextLine:
    """Return the mark of events that may have been announced before the restore of the store."""
    backups = {event.restored_from for event in events}
    made_at = backups.pop()
    if made_at is None or backups:
        return words.say(Phrase.MARK_RESTORED)
    return words.say(Phrase.MARK_RESTORED_FROM, time=made_at.replace(microsecond=0))


def _late(events: Sequence[Event], words: Words) -> TextLine:
    """Return the mark of late events, with the time in which no poll of any of them succeeded."""
    whole, part = _late_phrases(events)
    since, until = max(event.after for event in events), min(event.before for event in events)
    if since >= until:
        return words.say(part)
    first, last = rounded_bounds(since, until)
    return words.say(whole, from_time=first, to_time=last)


def _late_phrases(events: Sequence[Event]) -> tuple[Phrase, Phrase]:
    """Return the phrase about the whole time without an answer, and that about a part of it, by its reason."""
    if all(event.service_was_gone for event in events):
        return Phrase.MARK_LATE_GONE, Phrase.MARK_LATE_GONE_PART
    if all((event.group or "").startswith(OUTAGE_PREFIX) for event in events):
        return Phrase.MARK_LATE_OUTAGE, Phrase.MARK_LATE_OUTAGE_PART
    return Phrase.MARK_LATE, Phrase.MARK_LATE_PART


def names_bounds(events: Sequence[Event]) -> bool:
    """Say whether the mark of late events names the bounds of all events, so that no other line needs to."""
    return len({rounded_bounds(event.after, event.before) for event in events}) == 1 and all(
        event.late and event.after < event.before for event in events
    )


def mark_texts(event: Event, words: Words = ENGLISH_WORDS) -> tuple[str, ...]:
    """Write every mark of an event in one or two words."""
    return tuple(words.text(_SHORT[mark]) for mark in event.marks)
