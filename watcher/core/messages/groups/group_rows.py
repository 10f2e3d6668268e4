"""The rows of the message about several events."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final

from watcher.core.event import Event, Kind, Mark
from watcher.core.messages.change import change_line, not_seen, run_span, status_code
from watcher.core.messages.comparison import last_good_ago, usual_of, usual_range
from watcher.core.messages.groups.group_message import GroupEntry, Result
from watcher.core.messages.groups.outage_group import OutageSpan
from watcher.core.messages.language.phrases import Phrase
from watcher.core.messages.language.words import Words
from watcher.core.messages.marks import mark_texts
from watcher.core.messages.message import Message, Style
from watcher.core.messages.overdue import overdue_last_good_ago, overdue_row, overdue_status
from watcher.core.messages.service import is_about_service
from watcher.core.messages.stuck import elapsed, stuck_row
from watcher.core.messages.subject import service_code
from watcher.core.messages.text import TextLine, code, plain_text, rounded_bounds
from watcher.core.messages.unusable import completed_status
from watcher.core.training.model import goes_on

ONE_POLL: Final = timedelta(minutes=1)
"""Events whose bounds lie in this span need one pair of bounds."""

_RESULTS: Final[Mapping[Kind, Result]] = MappingProxyType(
    {
        Kind.FAILED: Result.FAILED,
        Kind.STUCK: Result.STUCK,
        Kind.OVERDUE: Result.OVERDUE,
        Kind.UNSTUCK: Result.PROGRESS,
        Kind.GONE: Result.GONE,
        Kind.RESTARTED: Result.RESTARTED,
        Kind.SUCCEEDED: Result.COMPLETED,
        Kind.PROGRESS: Result.PROGRESS,
        Kind.APPEARED: Result.NEW,
    }
)
_OWN_STATUS: Final = frozenset({Kind.FAST, Kind.UNUSABLE, Kind.UPDATE_FAILED, Kind.UPDATE_SUCCEEDED})
"""Kinds whose row has no change of a status."""
_ENDS: Final = frozenset({Kind.FAILED, Kind.SUCCEEDED, Kind.FAST})


def result_of(event: Event) -> Result:
    """Return the group of rows that an event belongs to."""
    result = _RESULTS.get(event.kind, Result.OTHER)
    return Result.OTHER if result is Result.PROGRESS and not goes_on(event.to_status) else result


def entries_of(
    events: Sequence[Event], messages: Sequence[Message], span: OutageSpan | None, style: Style, *, gone: bool
) -> Iterator[GroupEntry]:
    """Yield a row for each event; ``gone`` where the first line says that all of them are."""
    together = is_together(events)
    # The change of a new training says that it is new.
    common = set.intersection(*(set(event.marks) for event in events)) | {Mark.NEW}
    for event, message in zip(events, messages, strict=True):
        texts = zip(event.marks, mark_texts(event, style.words), strict=True)
        entry = _entry(event, message, style)
        said = _names_times(event) or together or (span is not None and span.says(event.after, event.before))
        yield replace(
            entry,
            bounds=None if said else rounded_bounds(event.after, event.before),
            change=_last_status(event, style.words) if gone else entry.change,
            marks=tuple(text for mark, text in texts if mark not in common),
        )


def _names_times(event: Event) -> bool:
    """Return whether the row of an event has its times: the poll that shows an absence is no bound of a change."""
    return event.kind is Kind.OVERDUE


def _entry(event: Event, message: Message, style: Style) -> GroupEntry:
    is_training, is_overdue, usual = is_about_training(event), event.kind is Kind.OVERDUE, usual_of(event)
    return GroupEntry(
        result=result_of(event),
        service=service_code(event, style) if is_training or is_overdue else code(plain_text(message.subject)),
        training_type=code(event.training_type) if is_training or is_overdue else None,
        version=code(event.version) if is_training else None,
        from_status="" if event.from_status is None else status_code(event.from_status).text,
        status=status_of(event, message, style.words),
        change=_change(event, message, style.words),
        not_seen=not_seen(event, style.words),
        duration=_duration(event, style.words),
        duration_seconds=_longest(event),
        usual="" if usual is None else usual_range(usual, style.words),
        failures=event.comparison.failures if event.comparison is not None and event.kind is Kind.FAILED else 0,
        last_good=_last_good(event, style.words),
        expected_at=None if event.overdue is None else event.overdue.expected_at,
        bounds=None,
        marks=(),
    )


def _last_good(event: Event, words: Words) -> str:
    """Write how long ago the last version completed, beside what has gone wrong since."""
    if event.kind is Kind.OVERDUE:
        return overdue_last_good_ago(event, words)
    return last_good_ago(event, words) if event.kind is Kind.FAILED else ""


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


def is_about_training(event: Event) -> bool:
    """Return whether an event is about one training."""
    is_special = event.incident is not None or event.receiver is not None or event.kind is Kind.OVERDUE
    return not is_special and not is_about_service(event)


def status_of(event: Event, message: Message, words: Words) -> TextLine:
    """Return the new status, or the headline of an event that is not about a training."""
    if event.overdue is not None:
        return overdue_status(event.overdue, words)
    return _training_status(event, words) if is_about_training(event) else (message.headline,)


def _training_status(event: Event, words: Words) -> TextLine:
    match event.kind:
        case Kind.GONE:
            return (status_code(event.from_status),)
        case Kind.STUCK:
            return words.say(Phrase.STATUS_STUCK, status=status_code(event.to_status or event.from_status))
        case Kind.FAST:
            return words.say(Phrase.STATUS_FAST, status=status_code(event.to_status))
        case Kind.UNUSABLE | Kind.UPDATE_FAILED | Kind.UPDATE_SUCCEEDED:
            return completed_status(event, words)
        case _:
            return (status_code(event.to_status),)


def _change(event: Event, message: Message, words: Words) -> TextLine:
    if event.overdue is not None:
        return overdue_row(event, event.overdue, words)
    if not is_about_training(event) or event.kind in _OWN_STATUS:
        return status_of(event, message, words)
    return _training_change(event, words)


def _training_change(event: Event, words: Words) -> TextLine:
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


def is_together(events: Sequence[Event]) -> bool:
    """Say whether one pair of bounds describes every event."""
    first, last = outer_bounds(events)
    return last - first <= ONE_POLL or len({(event.after, event.before) for event in events}) == 1


def outer_bounds(events: Iterable[Event]) -> tuple[datetime, datetime]:
    """Return the two times between which all events happened."""
    every = list(events)
    return min(event.after for event in every), max(event.before for event in every)
