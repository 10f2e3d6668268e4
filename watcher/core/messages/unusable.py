"""Lines about a completed training without an inference result."""

from __future__ import annotations

from collections.abc import Iterator

from watcher.core.event import Event
from watcher.core.messages.change import span_since
from watcher.core.messages.language.phrases import Phrase
from watcher.core.messages.language.words import Words
from watcher.core.messages.text import TextLine
from watcher.core.messages.update import update_status


def unusable_facts(event: Event, words: Words) -> Iterator[TextLine]:
    """Return how long the result is missing, how long earlier ones took, and the remedy."""
    facts = event.unusable
    if facts is not None:
        duration = span_since(facts.completed, event.after, event.before, words)
        longest = words.duration(facts.longest.total_seconds())
        usual = words.say(Phrase.UNUSABLE_USUAL, longest=longest, versions=facts.versions)
        # In one line: a message with a mark has two lines of facts at most.
        yield (*words.say(Phrase.UNUSABLE_FOR, duration=duration), "; ", *usual)
    yield words.say(Phrase.UNUSABLE_REMEDY)


def completed_status(event: Event, words: Words) -> TextLine:
    """Return what an event says about a completed training, for a row of a list."""
    return words.say(Phrase.STATUS_UNUSABLE) if event.update is None else update_status(event.update, words)
