"""The message about several events: a headline with counts, and a row for each event, failures first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from types import MappingProxyType
from typing import Final

from watcher.core.event import SHORT_ID_LENGTH, Event, Kind
from watcher.core.messages.change import status_code
from watcher.core.messages.groups.group_message import GroupEntry, GroupMessage, GroupSection, Result
from watcher.core.messages.groups.group_rows import (
    entries_of,
    is_about_training,
    is_together,
    outer_bounds,
    result_of,
    status_of,
)
from watcher.core.messages.groups.incident_group import compose_incidents, is_of_incidents
from watcher.core.messages.groups.outage_group import OutageSpan, headed_span, outage_title
from watcher.core.messages.language.phrases import Phrase
from watcher.core.messages.language.words import Words, capital, joined
from watcher.core.messages.last_line import bounds_line
from watcher.core.messages.marks import OUTAGE_PREFIX, mark_lines, names_bounds
from watcher.core.messages.message import PLAIN_STYLE, Message, Severity, Style, Symbol
from watcher.core.messages.overdue import overdue_polled, overdue_remedy
from watcher.core.messages.service import is_about_service
from watcher.core.messages.subject import service_code
from watcher.core.messages.text import Code, TextLine, code, plain_text
from watcher.core.messages.training import compose

SERVICES_MAX: Final = 3
"""Services that the first line counts; the others are only counted together."""
ONE_CAUSE_SPAN: Final = timedelta(minutes=1)
"""Failures whose bounds lie in this span have probably one cause."""
ONE_CAUSE_FAILURES: Final = 3


_PHRASES: Final[Mapping[Result, tuple[Phrase, Phrase]]] = MappingProxyType(
    {
        Result.FAILED: (Phrase.GROUP_FAILED, Phrase.COUNT_OTHER),
        Result.STUCK: (Phrase.GROUP_STUCK, Phrase.COUNT_STUCK),
        Result.OVERDUE: (Phrase.GROUP_OVERDUE, Phrase.COUNT_OVERDUE),
        Result.GONE: (Phrase.GROUP_GONE, Phrase.COUNT_GONE),
        Result.RESTARTED: (Phrase.GROUP_RESTARTED, Phrase.COUNT_RESTARTED),
        Result.COMPLETED: (Phrase.GROUP_COMPLETED, Phrase.COUNT_COMPLETED),
        Result.PROGRESS: (Phrase.GROUP_PROGRESS, Phrase.COUNT_PROGRESS),
        Result.NEW: (Phrase.GROUP_NEW, Phrase.COUNT_NEW),
        Result.OTHER: (Phrase.GROUP_OTHER, Phrase.COUNT_OTHER),
    }
)
"""The heading of each group of rows, and its count in a sentence."""
_CAPTIONS: Final[Mapping[Result, Phrase]] = MappingProxyType(
    {Result.FAILED: Phrase.CAPTION_FAILED, Result.OVERDUE: Phrase.CAPTION_OVERDUE}
)
"""The captions of lists of one result."""
_LATE: Final = frozenset({Kind.STUCK, Kind.OVERDUE})
_GONE_HEADLINES: Final = frozenset({Phrase.BATCH_GONE, Phrase.BATCH_SERVICES_GONE})


def compose_group(events: Sequence[Event], also: Sequence[Event], style: Style = PLAIN_STYLE) -> GroupMessage:
    """Return one message about ``events``, of which there is at least one.

    Args:
        events: the events of one delivery.
        also: events of the same catch-up that were sent separately.
        style: the receiver's settings.
    """
    if is_of_incidents(events):
        return compose_incidents(events, style)
    words = style.words
    ordered = sorted(events, key=lambda event: list(Result).index(result_of(event)))
    messages = [compose(event, style) for event in ordered]
    span = headed_span(ordered)
    title = _title(ordered, messages, style) if span is None else _outage_title(ordered[0], span, style)
    gone = span is None and _headline_without_failures(ordered) in _GONE_HEADLINES
    entries = tuple(entries_of(ordered, messages, span, style, gone=gone))
    all_failed = all(entry.result is Result.FAILED for entry in entries)
    return GroupMessage(
        severity=max((message.severity for message in messages), key=list(Severity).index),
        sign=_sign(ordered),
        headline=str(title[0]),
        title=title,
        facts=tuple(line for line in _facts(ordered, words, span) if line),
        entries=entries,
        sections=tuple(_sections(entries, words, by_service=all_failed)),
        all_failed=all_failed,
        caption=_caption(entries),
        also=tuple(_named(event, style) for event in also),
        marks=tuple(mark_lines(ordered, words, late_is_said=span is not None)),
        muted=_muted(ordered, words) if span is None else _outage_muted(ordered, span, words),
        recorded_at=min(event.recorded_at for event in events),
        words=words,
    )


def _caption(entries: Sequence[GroupEntry]) -> Phrase:
    results = {entry.result for entry in entries}
    return _CAPTIONS.get(results.pop(), Phrase.CAPTION_CHANGES) if len(results) == 1 else Phrase.CAPTION_CHANGES


def _sign(events: Sequence[Event]) -> Symbol:
    if any(event.kind is Kind.FAILED for event in events):
        return Symbol.FAILED
    return Symbol.LATE if all(event.kind in _LATE for event in events) else Symbol.SUMMARY


def _all_are(kind: Kind, events: Sequence[Event]) -> bool:
    return all(event.kind is kind for event in events)


def _outage_title(event: Event, span: OutageSpan, style: Style) -> TextLine:
    return (style.words.text(Phrase.BATCH_OUTAGE), *outage_title(event, span, style))


def _title(events: Sequence[Event], messages: Sequence[Message], style: Style) -> TextLine:
    headline, *subject = _title_parts(events, messages, style)
    return style.words.joined(((plain_text(headline),), *subject))


def _title_parts(events: Sequence[Event], messages: Sequence[Message], style: Style) -> tuple[TextLine, ...]:
    words = style.words
    subjects = {event.subject for event in events}
    failed = {event.subject for event in events if event.kind is Kind.FAILED}
    if _all_are(Kind.OVERDUE, events):
        return _overdue_title(events, messages, style)
    if len(subjects) == 1 and len(events) > 1:
        headline = Phrase.BATCH_OF_ONE if is_about_training(events[0]) else Phrase.BATCH_MIXED
        return (words.say(headline, count=len(events)), messages[0].subject)
    if not failed:
        return (words.say(_headline_without_failures(events), count=len(events)),)
    if len(failed) == 1:
        first: tuple[TextLine, ...] = (words.say(Phrase.FAILED), messages[0].subject)
    else:
        first = (words.say(Phrase.BATCH_FAILED, count=len(failed)),)
    rest = _services(events, style) if _all_are(Kind.FAILED, events) else _others(events, words)
    return (*first, rest)


def _overdue_title(events: Sequence[Event], messages: Sequence[Message], style: Style) -> tuple[TextLine, ...]:
    subjects = {event.subject: event for event in events}
    if len(subjects) == 1:
        return (style.words.say(Phrase.OVERDUE), messages[0].subject)
    headline = style.words.say(Phrase.BATCH_OVERDUE, count=len(subjects))
    return (headline, _services(list(subjects.values()), style))


def _others(events: Sequence[Event], words: Words) -> TextLine:
    """Count the events beside failures; an absence is no change."""
    others = [event for event in events if event.kind is not Kind.FAILED]
    if _all_are(Kind.OVERDUE, others):
        return words.counted(Phrase.BATCH_OVERDUE, len({event.subject for event in others}))
    return words.counted(Phrase.OTHER_CHANGES, len(others))


def _headline_without_failures(events: Sequence[Event]) -> Phrase:
    if len({event.subject for event in events}) < len(events):
        return Phrase.BATCH_MIXED
    all_gone = _all_are(Kind.GONE, events)
    if all_gone and all(map(is_about_service, events)):
        return Phrase.BATCH_SERVICES_GONE
    if any(event.version is None for event in events):
        return Phrase.BATCH_MIXED
    if _all_are(Kind.STUCK, events):
        return Phrase.BATCH_STUCK
    return Phrase.BATCH_GONE if all_gone else Phrase.BATCH_CHANGED


def _services(events: Sequence[Event], style: Style) -> TextLine:
    counts = Counter(service_code(event, style) for event in events)
    shown = [style.words.say(Phrase.NAMED_COUNT, name=name, count=count) for name, count in counts.most_common()]
    return style.words.listed(shown, SERVICES_MAX)


def _facts(events: Sequence[Event], words: Words, span: OutageSpan | None) -> Iterator[TextLine]:
    if span is not None:
        yield _result_counts(events, words)
    if span is None or _all_are(Kind.GONE, events):
        yield _counts(events, words)
    if _all_are(Kind.FAILED, events):
        yield _runs_before(events, words)


def _runs_before(events: Sequence[Event], words: Words) -> TextLine:
    """Say for how many failures the run before was good; empty where that is not known of each."""
    compared = [event.comparison for event in events if event.comparison is not None]
    good = sum(facts.successes > 0 for facts in compared)
    if not good or len(compared) < len(events):
        return ()
    if good == len(events):
        return words.say(Phrase.BATCH_BEFORE_ALL)
    return words.say(Phrase.BATCH_BEFORE, count=good, total=len(events))


def _counts(events: Sequence[Event], words: Words) -> TextLine:
    """Count the statuses of failures, or the results of other events; where all are gone, say what to do."""
    if _all_are(Kind.FAILED, events):
        counts = Counter(status_code(event.to_status) for event in events)
        listed = [words.say(Phrase.BATCH_WORDS, status=word, count=count) for word, count in counts.most_common()]
        return words.joined((words.listed(listed, SERVICES_MAX), _one_cause(events, counts, words)))
    if _all_are(Kind.GONE, events):
        return words.say(Phrase.GONE_REMEDY_SEVERAL)
    if _all_are(Kind.STUCK, events):
        learned = all(event.stuck is None or event.stuck.learned for event in events)
        return words.say(Phrase.STUCK_GUESS if learned else Phrase.STUCK_REMEDY)
    if _all_are(Kind.OVERDUE, events):
        return overdue_remedy([event.overdue for event in events], words)
    return _result_counts(events, words)


def _result_counts(events: Sequence[Event], words: Words) -> TextLine:
    results = Counter(result_of(event) for event in events)
    if results.keys() == {Result.OTHER}:
        return ()
    others = [result for result in Result if result is not Result.FAILED and results[result]]
    return joined((words.say(_PHRASES[result][1], count=results[result]) for result in others), ", ")


def _one_cause(events: Sequence[Event], counts: Counter[Code], words: Words) -> TextLine:
    first, last = outer_bounds(events)
    if last - first > ONE_CAUSE_SPAN or max(counts.values()) < ONE_CAUSE_FAILURES:
        return ()
    return words.say(Phrase.BATCH_ONE_CAUSE, duration=words.duration((last - first).total_seconds()))


def _sections(entries: Sequence[GroupEntry], words: Words, *, by_service: bool) -> Iterator[GroupSection]:
    groups: dict[Code | Result, list[GroupEntry]] = {}
    for entry in entries:
        groups.setdefault(entry.service if by_service else entry.result, []).append(entry)
    for key, members in groups.items():
        yield GroupSection(
            heading=_heading(key, len(members), words),
            rows=tuple(entry.row(words, below_service=by_service) for entry in members),
        )


def _heading(key: Code | Result, count: int, words: Words) -> TextLine:
    if isinstance(key, Code):
        return words.say(Phrase.NAMED_COUNT, name=key, count=count)
    return words.say(_PHRASES[key][0], count=count)


def _named(event: Event, style: Style) -> TextLine:
    message = compose(event, style)
    return (*message.subject, " ", *status_of(event, message, style.words))


def _muted(events: Sequence[Event], words: Words) -> TextLine:
    if _all_are(Kind.OVERDUE, events):
        return capital(overdue_polled(*outer_bounds(events), words))
    group = events[0].group or ""
    incident: TextLine = (code(group[:SHORT_ID_LENGTH]),) if group.startswith(OUTAGE_PREFIX) else ()
    # The poll that shows an absence is no bound of a change.
    changes = [event for event in events if event.kind is not Kind.OVERDUE]
    bounds = () if incident and names_bounds(events) else bounds_line(*outer_bounds(changes), words)
    return capital(words.joined((bounds, incident)))


def _outage_muted(events: Sequence[Event], span: OutageSpan, words: Words) -> TextLine:
    first, last = outer_bounds(events)
    is_said = span.says(first, last) or not is_together(events)
    bounds = words.say(Phrase.TIMES_UNKNOWN) if is_said else bounds_line(first, last, words)
    return capital(words.joined((bounds, (code((events[0].group or "")[:SHORT_ID_LENGTH]),))))
