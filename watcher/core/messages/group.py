"""The message about several events: a headline with counts, and a row for each event, failures first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final

from watcher.core.event import SHORT_ID_LENGTH, Event, Kind, Mark
from watcher.core.messages.change import change_line, not_seen, run_span, status_code
from watcher.core.messages.comparison import last_good_ago, usual_of, usual_range
from watcher.core.messages.group_message import GroupEntry, GroupMessage, GroupSection, Result
from watcher.core.messages.incident_group import compose_incidents, is_of_incidents
from watcher.core.messages.last_line import bounds_line
from watcher.core.messages.marks import OUTAGE_PREFIX, mark_lines, mark_texts, names_bounds
from watcher.core.messages.message import PLAIN_STYLE, Message, Severity, Style, Symbol
from watcher.core.messages.outage_group import OutageSpan, headed_span, outage_title
from watcher.core.messages.phrases import Phrase
from watcher.core.messages.service import is_about_service
from watcher.core.messages.stuck import elapsed, stuck_row
from watcher.core.messages.subject import service_code
from watcher.core.messages.text import Code, TextLine, code, plain_text, rounded_bounds
from watcher.core.messages.training import compose
from watcher.core.messages.words import Words, capital, joined

SERVICES_MAX: Final = 3
"""Services that the first line counts; the others are only counted together."""
ONE_CAUSE_SPAN: Final = timedelta(minutes=1)
"""Failures whose bounds lie in this span have probably one cause."""
ONE_CAUSE_FAILURES: Final = 3


_RESULTS: Final[Mapping[Kind, Result]] = MappingProxyType(
    {
        Kind.FAILED: Result.FAILED,
        Kind.STUCK: Result.STUCK,
        Kind.UNSTUCK: Result.PROGRESS,
        Kind.GONE: Result.GONE,
        Kind.RESTARTED: Result.RESTARTED,
        Kind.SUCCEEDED: Result.COMPLETED,
        Kind.PROGRESS: Result.PROGRESS,
        Kind.APPEARED: Result.NEW,
    }
)
_ENDS: Final = frozenset({Kind.FAILED, Kind.SUCCEEDED, Kind.FAST})
_PHRASES: Final[Mapping[Result, tuple[Phrase, Phrase]]] = MappingProxyType(
    {
        Result.FAILED: (Phrase.GROUP_FAILED, Phrase.COUNT_OTHER),
        Result.STUCK: (Phrase.GROUP_STUCK, Phrase.COUNT_STUCK),
        Result.GONE: (Phrase.GROUP_GONE, Phrase.COUNT_GONE),
        Result.RESTARTED: (Phrase.GROUP_RESTARTED, Phrase.COUNT_RESTARTED),
        Result.COMPLETED: (Phrase.GROUP_COMPLETED, Phrase.COUNT_COMPLETED),
        Result.PROGRESS: (Phrase.GROUP_PROGRESS, Phrase.COUNT_PROGRESS),
        Result.NEW: (Phrase.GROUP_NEW, Phrase.COUNT_NEW),
        Result.OTHER: (Phrase.GROUP_OTHER, Phrase.COUNT_OTHER),
    }
)
"""The heading of each group of rows, and its count in a sentence."""
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
    ordered = sorted(events, key=lambda event: list(Result).index(_result(event)))
    messages = [compose(event, style) for event in ordered]
    span = headed_span(ordered)
    title = _title(ordered, messages, style) if span is None else _outage_title(ordered[0], span, style)
    entries = tuple(_entries(ordered, messages, span, style))
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
        caption=Phrase.CAPTION_FAILED if all_failed else Phrase.CAPTION_CHANGES,
        also=tuple(_named(event, style) for event in also),
        marks=tuple(mark_lines(ordered, words, late_is_said=span is not None)),
        muted=_muted(ordered, words) if span is None else _outage_muted(ordered, span, words),
        recorded_at=min(event.recorded_at for event in events),
        words=words,
    )


def _result(event: Event) -> Result:
    return _RESULTS.get(event.kind, Result.OTHER)


def _sign(events: Sequence[Event]) -> Symbol:
    if any(event.kind is Kind.FAILED for event in events):
        return Symbol.FAILED
    return Symbol.LATE if _all_are(Kind.STUCK, events) else Symbol.SUMMARY


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
    others = sum(event.kind is not Kind.FAILED for event in events)
    if len(subjects) == 1 and len(events) > 1:
        headline = Phrase.BATCH_OF_ONE if _is_about_training(events[0]) else Phrase.BATCH_MIXED
        return (words.say(headline, count=len(events)), messages[0].subject)
    if not failed:
        return (words.say(_headline_without_failures(events), count=len(events)),)
    if len(failed) == 1:
        first: tuple[TextLine, ...] = (words.say(Phrase.FAILED), messages[0].subject)
    else:
        first = (words.say(Phrase.BATCH_FAILED, count=len(failed)),)
    rest = words.counted(Phrase.OTHER_CHANGES, others) if others else _services(events, style)
    return (*first, rest)


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
    return _result_counts(events, words)


def _result_counts(events: Sequence[Event], words: Words) -> TextLine:
    results = Counter(_result(event) for event in events)
    if results.keys() == {Result.OTHER}:
        return ()
    others = [result for result in Result if result is not Result.FAILED and results[result]]
    return joined((words.say(_PHRASES[result][1], count=results[result]) for result in others), ", ")


def _one_cause(events: Sequence[Event], counts: Counter[Code], words: Words) -> TextLine:
    first, last = _outer_bounds(events)
    if last - first > ONE_CAUSE_SPAN or max(counts.values()) < ONE_CAUSE_FAILURES:
        return ()
    return words.say(Phrase.BATCH_ONE_CAUSE, duration=words.duration((last - first).total_seconds()))


def _entries(
    events: Sequence[Event], messages: Sequence[Message], span: OutageSpan | None, style: Style
) -> Iterator[GroupEntry]:
    together = _together(events)
    all_gone = span is None and _headline_without_failures(events) in _GONE_HEADLINES
    # The change of a new training says that it is new.
    common = set.intersection(*(set(event.marks) for event in events)) | {Mark.NEW}
    for event, message in zip(events, messages, strict=True):
        texts = zip(event.marks, mark_texts(event, style.words), strict=True)
        entry = _entry(event, message, style)
        said = together or (span is not None and span.says(event.after, event.before))
        yield replace(
            entry,
            bounds=None if said else rounded_bounds(event.after, event.before),
            change=_last_status(event, style.words) if all_gone else entry.change,
            marks=tuple(text for mark, text in texts if mark not in common),
        )


def _entry(event: Event, message: Message, style: Style) -> GroupEntry:
    is_training = _is_about_training(event)
    usual = usual_of(event)
    return GroupEntry(
        result=_result(event),
        service=service_code(event, style) if is_training else code(plain_text(message.subject)),
        training_type=code(event.training_type) if is_training else None,
        version=code(event.version) if is_training else None,
        from_status="" if event.from_status is None else status_code(event.from_status).text,
        status=_status(event, message, style.words),
        change=_change(event, message, style.words),
        not_seen=not_seen(event, style.words),
        duration=_duration(event, style.words),
        duration_seconds=_longest(event),
        usual="" if usual is None else usual_range(usual, style.words),
        failures=event.comparison.failures if event.comparison is not None and event.kind is Kind.FAILED else 0,
        last_good=last_good_ago(event, style.words) if event.kind is Kind.FAILED else "",
        bounds=None,
        marks=(),
    )


def _duration(event: Event, words: Words) -> str:
    """Write how long a run took that ended, or what may be stuck lasts."""
    if event.kind is Kind.STUCK and event.stuck is not None:
        return elapsed(event, event.stuck, words)
    return run_span(event, words) if event.kind in _ENDS else ""


def _longest(event: Event) -> float:
    """Return the same duration in seconds, to sort by."""
    if event.kind is Kind.STUCK and event.stuck is not None:
        return (event.before - event.stuck.since.after).total_seconds()
    is_end = event.kind in _ENDS and event.run is not None
    return (event.before - event.run.started_after).total_seconds() if is_end and event.run is not None else 0.0


def _is_about_training(event: Event) -> bool:
    is_special = event.incident is not None or event.receiver is not None or event.kind is Kind.OVERDUE
    return not is_special and not is_about_service(event)


def _status(event: Event, message: Message, words: Words) -> TextLine:
    if not _is_about_training(event):
        return (message.headline,)
    match event.kind:
        case Kind.GONE:
            return (status_code(event.from_status),)
        case Kind.STUCK:
            return words.say(Phrase.STATUS_STUCK, status=status_code(event.to_status or event.from_status))
        case Kind.FAST:
            return words.say(Phrase.STATUS_FAST, status=status_code(event.to_status))
        case _:
            return (status_code(event.to_status),)


def _change(event: Event, message: Message, words: Words) -> TextLine:
    if not _is_about_training(event) or event.kind is Kind.FAST:
        return _status(event, message, words)
    match event.kind:
        case Kind.GONE:
            return words.say(Phrase.ROW_GONE, status=status_code(event.from_status))
        case Kind.STUCK:
            return stuck_row(event, words)
        case Kind.BACK:
            return words.say(Phrase.ROW_BACK, status=status_code(event.to_status))
        case _ if event.new:
            return words.say(Phrase.ROW_NEW, status=status_code(event.to_status))
        case _:
            return change_line(event, words)


def _last_status(event: Event, words: Words) -> TextLine:
    """Return the row of one of several that are gone, which the headline says; a service has no status."""
    return words.say(Phrase.ROW_LAST_STATUS, status=status_code(event.from_status)) if event.version else ()


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
    return (*message.subject, " ", *_status(event, message, style.words))


def _muted(events: Sequence[Event], words: Words) -> TextLine:
    group = events[0].group or ""
    incident: TextLine = (code(group[:SHORT_ID_LENGTH]),) if group.startswith(OUTAGE_PREFIX) else ()
    bounds = () if incident and names_bounds(events) else bounds_line(*_outer_bounds(events), words)
    return capital(words.joined((bounds, incident)))


def _outage_muted(events: Sequence[Event], span: OutageSpan, words: Words) -> TextLine:
    first, last = _outer_bounds(events)
    is_said = span.says(first, last) or not _together(events)
    bounds = words.say(Phrase.TIMES_UNKNOWN) if is_said else bounds_line(first, last, words)
    return capital(words.joined((bounds, (code((events[0].group or "")[:SHORT_ID_LENGTH]),))))


def _together(events: Sequence[Event]) -> bool:
    """Say whether one pair of bounds describes every event."""
    first, last = _outer_bounds(events)
    return last - first <= ONE_CAUSE_SPAN or len({(event.after, event.before) for event in events}) == 1


def _outer_bounds(events: Iterable[Event]) -> tuple[datetime, datetime]:
    every = list(events)
    return min(event.after for event in every), max(event.before for event in every)
