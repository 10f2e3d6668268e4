"""Lines about an update of an interval service that has ended."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC

from watcher.core.event import Event, Kind
from watcher.core.messages.change import status_code
from watcher.core.messages.language.phrases import Phrase
from watcher.core.messages.language.words import Words
from watcher.core.messages.message import Style
from watcher.core.messages.text import TextLine, code
from watcher.core.timestamps import date_without_zone, read_date
from watcher.core.updates.model import UpdateFacts


def update_facts(event: Event, style: Style, *, marked: bool) -> Iterator[TextLine]:
    """Return how an update ended; of a failed one also the consequence and the remedy, or less where marked."""
    facts = event.update
    if facts is not None:
        yield _ended(event, facts, style)
    if event.kind is Kind.UPDATE_FAILED:
        if not marked:
            yield style.words.say(Phrase.UPDATE_VERSION_STAYS)
        yield style.words.say(Phrase.UPDATE_REMEDY)


def update_status(facts: UpdateFacts, words: Words) -> TextLine:
    """Return the status of an update, for a row of a list."""
    return words.say(Phrase.STATUS_UPDATE, status=status_code(facts.status))


def _ended(event: Event, facts: UpdateFacts, style: Style) -> TextLine:
    words = style.words
    ended = words.say(Phrase.UPDATE_ENDED, update=code(facts.version), status=status_code(facts.status))
    return (*ended, *_took(facts, words), *_finished(event, facts, style))


def _took(facts: UpdateFacts, words: Words) -> TextLine:
    seconds = update_seconds(facts)
    return () if seconds is None else words.say(Phrase.UPDATE_TOOK, duration=words.duration(seconds))


def update_seconds(facts: UpdateFacts) -> float | None:
    """Return how long an update took, by the dates of AiTEMS; ``None`` where it does not give both."""
    # Both dates have the same zone, whichever it is.
    began, finished = read_date(facts.created_date, UTC), read_date(facts.finished_date, UTC)
    if began is None or finished is None or finished < began:
        return None
    return (finished - began).total_seconds()


def _finished(event: Event, facts: UpdateFacts, style: Style) -> TextLine:
    """Return the time of the end, which AiTEMS gives without a zone."""
    zone = style.account_zones.get(event.account or "")
    if time := read_date(facts.finished_date, zone):
        return style.words.say(Phrase.UPDATE_FINISHED, time=time)
    if zone is None and (text := date_without_zone(facts.finished_date)):
        return style.words.say(Phrase.UPDATE_FINISHED_WITHOUT_ZONE, text=text)
    return ()
