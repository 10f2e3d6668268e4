"""Parts of the last line of a message: the bounds of a change and the links of its watch."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from watcher.core.event import Event
from watcher.core.messages.language.phrases import Phrase
from watcher.core.messages.language.words import Words
from watcher.core.messages.text import Link, TextLine, one_line, rounded_bounds


def bounds_line(after: datetime, before: datetime, words: Words) -> TextLine:
    """Return the two times between which a change happened; one time where they are the same."""
    first, last = rounded_bounds(after, before)
    if first == last:
        return words.say(Phrase.AT, time=first)
    return words.say(Phrase.BOUNDS, after=first, before=last)


def link_parts(event: Event, words: Words) -> Iterator[TextLine]:
    """Return the links of an event's watch."""
    labels = {"console": Phrase.CONSOLE, "runbook": Phrase.RUNBOOK}
    for name, url in event.links.items():
        label = words.text(labels[name]) if name in labels else one_line(name, 40)
        yield (Link(label, url),)
