"""The message about a retraining that is overdue, and its rows in one about several events."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Final

from watcher.core.event import Event
from watcher.core.messages.language.phrases import Phrase
from watcher.core.messages.language.words import Words, capital, small
from watcher.core.messages.last_line import link_parts
from watcher.core.messages.marks import mark_lines
from watcher.core.messages.message import Message, Severity, Style, Symbol
from watcher.core.messages.subject import service_code
from watcher.core.messages.text import TextLine, code
from watcher.core.training.absence import Missing, OverdueFacts

ONE_POLL: Final = timedelta(minutes=1)
"""Polls so near to each other have one time."""


def compose_overdue(event: Event, style: Style) -> Message:
    """Return the message about a retraining that did not come by the expected time."""
    words, facts = style.words, event.overdue
    polled = words.say(Phrase.OVERDUE_POLLED, time=event.before)
    marks = tuple(mark_lines((event,), words))
    return Message(
        severity=Severity.WARNING,
        sign=Symbol.LATE,
        headline=words.text(Phrase.OVERDUE),
        subject=(service_code(event, style), " · ", code(event.training_type)),
        # A title needs no facts.
        facts=() if facts is None else tuple(_facts(event, facts, words, marked=bool(marks))),
        marks=marks,
        muted=capital(words.joined((polled, *link_parts(event, words), (code(event.short_id),)))),
        preview=None if facts is None else (_absence(event, facts, words),),
    )


def _facts(event: Event, facts: OverdueFacts, words: Words, *, marked: bool) -> Iterator[TextLine]:
    """Yield at most three lines; with a mark at most two, as it takes the place of the last good version."""
    if facts.missing is Missing.COMPLETED:
        yield _absence(event, facts, words)
        yield words.say(Phrase.OVERDUE_STALE_REMEDY)
        return
    yield (*_absence(event, facts, words), *_period(facts, words))
    if (good := facts.last_good) is not None and not marked:
        age = _age(event, good.ended.before, words)
        yield words.say(Phrase.OVERDUE_LAST_GOOD, version=code(good.version), age=age)
    yield words.say(Phrase.OVERDUE_CYCLE_REMEDY if facts.by_cycle else Phrase.OVERDUE_REMEDY)


def _absence(event: Event, facts: OverdueFacts, words: Words) -> TextLine:
    if facts.missing is Missing.COMPLETED:
        return _not_completed(event, facts, words)
    if facts.last is None:
        phrase = Phrase.OVERDUE_NO_UPDATE_SEEN if facts.by_cycle else Phrase.OVERDUE_NONE_SEEN
        return words.say(phrase, due=facts.expected_at)
    phrase = Phrase.OVERDUE_NO_UPDATE_SINCE if facts.by_cycle else Phrase.OVERDUE_NONE_SINCE
    return words.say(phrase, time=facts.last.middle, due=facts.expected_at)


def _not_completed(event: Event, facts: OverdueFacts, words: Words) -> TextLine:
    limit = words.duration(facts.period.total_seconds())
    if (good := facts.last_good) is None:
        return words.say(Phrase.OVERDUE_NONE_COMPLETED, limit=limit)
    age = _age(event, good.ended.before, words)
    return words.say(Phrase.OVERDUE_LAST_COMPLETED, version=code(good.version), age=age, limit=limit)


def overdue_status(facts: OverdueFacts, words: Words) -> TextLine:
    """Return the absent thing in a few words, for a cell of a table."""
    missing = facts.missing is Missing.COMPLETED
    return words.say(Phrase.STATUS_OVERDUE_STALE if missing else Phrase.STATUS_OVERDUE)


def overdue_row(event: Event, facts: OverdueFacts, words: Words) -> TextLine:
    """Return the absence, for a row of a list."""
    return small(_absence(event, facts, words))


def overdue_last_good_ago(event: Event, words: Words) -> str:
    """Write how long ago the last version completed; empty where no poll saw one complete."""
    good = None if event.overdue is None else event.overdue.last_good
    return "" if good is None else words.text(Phrase.AGO, age=words.age(_seconds_since(event, good.ended.before)))


def overdue_remedy(facts: Iterable[OverdueFacts | None], words: Words) -> TextLine:
    """Return what to do about several retrainings."""
    missing = {item.missing for item in facts if item is not None}
    if missing == {Missing.START}:
        return words.say(Phrase.OVERDUE_REMEDY_SEVERAL)
    return words.say(Phrase.OVERDUE_STALE_REMEDY if missing == {Missing.COMPLETED} else Phrase.OVERDUE_REMEDY_MIXED)


def overdue_polled(first: datetime, last: datetime, words: Words) -> TextLine:
    """Return when the polls were that still showed several absences."""
    if last - first < ONE_POLL:
        return words.say(Phrase.OVERDUE_POLLED, time=last)
    return words.say(Phrase.OVERDUE_POLLED_SEVERAL, first=first, last=last)


def _period(facts: OverdueFacts, words: Words) -> TextLine:
    period = words.duration(facts.period.total_seconds())
    if facts.by_cycle:
        return words.say(Phrase.OVERDUE_EVERY_CYCLE, period=period)
    if facts.starts is None:
        return words.say(Phrase.OVERDUE_EVERY, period=period)
    return words.say(Phrase.OVERDUE_EVERY_LEARNED, period=period, count=facts.starts)


def _age(event: Event, time: datetime, words: Words) -> str:
    return words.duration(_seconds_since(event, time))


def _seconds_since(event: Event, time: datetime) -> float:
    return (event.before - time).total_seconds()
