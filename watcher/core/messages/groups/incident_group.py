"""The message about incidents of several services or trainings: the cause once, and a row for each of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Final

from watcher.core.event import INCIDENT_KINDS, Event, IncidentFacts, Kind
from watcher.core.messages.advice import remedy_lines
from watcher.core.messages.groups.group_message import GroupEntry, GroupMessage, GroupSection, Result
from watcher.core.messages.incident import DETAIL_LIMIT, compose_incident, detail_helps, pause_lines, short_cause
from watcher.core.messages.incident_subject import About, about
from watcher.core.messages.language.phrases import Phrase
from watcher.core.messages.language.words import Words, capital
from watcher.core.messages.marks import mark_lines, mark_texts
from watcher.core.messages.message import Severity, Style, Symbol
from watcher.core.messages.subject import service_code
from watcher.core.messages.text import TextLine, code, rounded_bounds
from watcher.core.polling.result import Cause

CAUSES_MAX: Final = 3
"""Causes that a message names, each with its remedy; the others are counted."""
_PLURALS: Final[Mapping[Phrase, Phrase]] = MappingProxyType(
    {
        Phrase.SERVICE_NOT_FOUND: Phrase.SERVICES_NOT_FOUND,
        Phrase.TRAINING_NOT_FOUND: Phrase.TRAININGS_NOT_FOUND,
        Phrase.SERVICE_FOUND: Phrase.SERVICES_FOUND,
        Phrase.TRAINING_FOUND: Phrase.TRAININGS_FOUND,
    }
)
"""Headlines that say *this*."""
_Part = tuple[Event, IncidentFacts]


def is_of_incidents(events: Sequence[Event]) -> bool:
    """Say whether each event is about failing polls of a service or training."""
    several = {About.SERVICE, About.TRAINING}
    return len(events) > 1 and all(
        event.incident is not None and event.kind in INCIDENT_KINDS and about(event) in several for event in events
    )


def compose_incidents(events: Sequence[Event], style: Style) -> GroupMessage:
    """Return one message about several incidents; the problems that go on come before those that are over."""
    parts = sorted(_parts(events), key=lambda part: _is_over(part[0]))
    ordered, words = [event for event, _ in parts], style.words
    messages = [compose_incident(event, facts, style) for event, facts in parts]
    headlines = [_plural(message.headline, words) for message in messages]
    over = all(map(_is_over, ordered))
    return GroupMessage(
        severity=max((message.severity for message in messages), key=list(Severity).index),
        sign=Symbol.RECOVERED if over else Symbol.POLLING,
        headline=(headline := _headline(headlines, words, over=over)),
        title=words.joined(((headline,), _subject(ordered, words))),
        facts=tuple(_facts(parts, headlines, words)),
        entries=(entries := tuple(_entries(parts, headlines, style))),
        sections=tuple(_sections(entries, headlines, words)),
        all_failed=False,
        caption=Phrase.CAPTION_PROBLEMS,
        also=(),
        marks=tuple(mark_lines(ordered, words)),
        muted=_muted(parts, words),
        recorded_at=min(event.recorded_at for event in ordered),
        words=words,
    )


def _parts(events: Iterable[Event]) -> Iterator[_Part]:
    for event in events:
        if event.incident is not None:
            yield event, event.incident


def _is_over(event: Event) -> bool:
    return event.kind is Kind.RECOVERED


def _plural(headline: str, words: Words) -> str:
    return next((words.text(many) for one, many in _PLURALS.items() if words.text(one) == headline), headline)


def _headline(headlines: Sequence[str], words: Words, *, over: bool) -> str:
    if len(set(headlines)) == 1:
        return headlines[0]
    return words.text(Phrase.BATCH_PROBLEMS_OVER if over else Phrase.BATCH_PROBLEMS, count=len(headlines))


def _subject(events: Sequence[Event], words: Words) -> TextLine:
    accounts = sorted({event.account or "" for event in events})
    named = (words.say(Phrase.ACCOUNT, account=code(account)) for account in accounts)
    return words.joined((_things(events, words), words.listed(list(named), CAUSES_MAX)))


def _things(events: Iterable[Event], words: Words) -> TextLine:
    """Count the services and trainings, each once."""
    counts = Counter(thing for thing, _ in {(about(event), event.subject) for event in events})
    phrases = {About.SERVICE: Phrase.SERVICES, About.TRAINING: Phrase.TRAININGS}
    return words.listed([words.counted(phrases[thing], counts[thing]) for thing in phrases if counts[thing]], 2)


def _facts(parts: Sequence[_Part], headlines: Sequence[str], words: Words) -> Iterator[TextLine]:
    if len(set(headlines)) > 1:
        common = Counter(headlines).most_common()
        counts = [words.say(Phrase.NAMED_COUNT, name=name, count=count) for name, count in common]
        yield words.listed(counts, CAUSES_MAX)
    begun = [part for part in parts if not _is_over(part[0])]
    if begun:
        yield from _beginning(begun, words)
    else:
        yield _lasted(parts, words)


def _beginning(parts: Sequence[_Part], words: Words) -> Iterator[TextLine]:
    yield _state(parts, words)
    pauses = [facts for _, facts in parts if facts.paused_until is not None]
    if pauses:
        yield from pause_lines(max(pauses, key=lambda facts: facts.paused_until or facts.since), words)
    remedies = [tuple(remedy_lines(facts, words)) for _, facts in parts]
    for lines in [lines for lines, _ in Counter(remedies).most_common(CAUSES_MAX)]:
        yield from lines
    details = {facts.detail if detail_helps(facts) else "" for _, facts in parts}
    if len(details) == 1 and (detail := details.pop()):
        yield words.say(Phrase.DETAIL, detail=code(detail, DETAIL_LIMIT))


def _state(parts: Sequence[_Part], words: Words) -> TextLine:
    """Return the time since which none of them has a status: that of the last one."""
    since = max(facts.since for _, facts in parts)
    kinds = {about(event) for event, _ in parts}
    if kinds == {About.SERVICE}:
        return words.counted(Phrase.NO_STATUS_SERVICES, len({event.subject for event, _ in parts}), time=since)
    if all(facts.last_good_at is None for _, facts in parts):
        return words.say(Phrase.NEVER_A_STATUS, time=since)
    return words.say(Phrase.NO_STATUS_SEVERAL, time=since)


def _lasted(parts: Sequence[_Part], words: Words) -> TextLine:
    duration = _durations([facts.lasted_seconds or 0.0 for _, facts in parts], words)
    causes = dict.fromkeys(short_cause(facts, words) for _, facts in parts if facts.cause != Cause.NOT_FOUND)
    if not causes:
        return words.say(Phrase.WERE_NOT_FOUND, duration=duration)
    listed = words.listed([(cause,) for cause in causes], CAUSES_MAX)
    return words.say(Phrase.WERE_UNREACHABLE, duration=duration, cause=listed)


def _durations(seconds: Sequence[float], words: Words) -> str:
    low, high = words.duration(min(seconds)), words.duration(max(seconds))
    return high if low == high else words.text(Phrase.RANGE, low=low, high=high)


def _entries(parts: Sequence[_Part], headlines: Sequence[str], style: Style) -> Iterator[GroupEntry]:
    together = len({_bounds(part) for part in parts}) == 1
    common = set.intersection(*(set(event.marks) for event, _ in parts))
    for (event, facts), headline in zip(parts, headlines, strict=True):
        is_training = about(event) is About.TRAINING
        status: TextLine = (headline if _is_over(event) else short_cause(facts, style.words),)
        texts = zip(event.marks, mark_texts(event, style.words), strict=True)
        yield GroupEntry(
            result=Result.OTHER,
            service=service_code(event, style),
            training_type=code(event.training_type) if is_training else None,
            version=code(event.version) if is_training else None,
            from_status="",
            status=status,
            change=status if len(set(headlines)) > 1 else (),
            not_seen=(),
            duration="",
            duration_seconds=0.0,
            bounds=None if together or not _is_over(event) else _bounds((event, facts)),
            marks=tuple(text for mark, text in texts if mark not in common),
        )


def _bounds(part: _Part) -> tuple[datetime, datetime]:
    event, facts = part
    return rounded_bounds(facts.since, event.before)


def _sections(entries: Sequence[GroupEntry], headlines: Sequence[str], words: Words) -> Iterator[GroupSection]:
    """Return the rows below their headlines."""
    for headline, count in Counter(headlines).items():
        rows = (entry for entry, own in zip(entries, headlines, strict=True) if own == headline)
        yield GroupSection(
            heading=words.say(Phrase.NAMED_COUNT, name=headline, count=count),
            rows=tuple(entry.row(words, below_service=False) for entry in rows),
        )


def _muted(parts: Sequence[_Part], words: Words) -> TextLine:
    if all(_is_over(event) for event, _ in parts):
        never = all(facts.last_good_at is None for _, facts in parts)
        return capital(words.say(Phrase.BASELINE_FOLLOWS if never else Phrase.REPORTED_APART))
    sinces = {facts.since for _, facts in parts}
    first = words.say(Phrase.FIRST_OF_THEM, time=min(sinces)) if len(sinces) > 1 else ()
    return capital(words.joined((words.say(Phrase.LATER), first)))
