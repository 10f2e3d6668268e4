"""The message about one event: ``compose`` for every kind, and the lines about a training.

``incident``, ``receiver`` and ``service`` have the messages about those, ``group`` one about several events.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final

from watcher.core.delivery.facts import NamedEvent, ReceiverFacts
from watcher.core.delivery.reason import NO_REASON
from watcher.core.event import Event, IncidentFacts, Kind
from watcher.core.messages import incident as incident_message
from watcher.core.messages import receiver as receiver_message
from watcher.core.messages.change import change_line, not_seen, run_span, status_code
from watcher.core.messages.check_alert import compose_test, is_test
from watcher.core.messages.comparison import (
    cause_line,
    failure_line,
    failure_preview,
    failures_line,
    success_facts,
    success_preview,
    took,
)
from watcher.core.messages.language.phrases import Phrase
from watcher.core.messages.language.words import Words, capital
from watcher.core.messages.last_line import bounds_line, link_parts
from watcher.core.messages.marks import mark_lines, mark_texts, names_bounds
from watcher.core.messages.message import PLAIN_STYLE, Message, Severity, Style, Symbol
from watcher.core.messages.overdue import compose_overdue
from watcher.core.messages.service import compose_service, is_about_service
from watcher.core.messages.stuck import fast_facts, stuck_facts, stuck_muted, stuck_preview, unstuck_facts
from watcher.core.messages.subject import training_line
from watcher.core.messages.text import TextLine, code, one_line, plain_text
from watcher.core.messages.unusable import unusable_facts
from watcher.core.messages.update import update_facts
from watcher.core.timestamps import date_without_zone, read_date
from watcher.core.training.decision import DecisionReason
from watcher.core.training.model import goes_on

__all__ = [
    "Message",
    "Severity",
    "Style",
    "Symbol",
    "compose",
    "mark_texts",
    "named_title",
    "one_line",
    "plain_text",
    "status_code",
]

DESCRIPTION_LIMIT: Final = 100
"""Characters of a training's description that are shown."""

_STYLES: Final[Mapping[Kind, tuple[Severity, Symbol, Phrase]]] = MappingProxyType(
    {
        Kind.APPEARED: (Severity.INFO, Symbol.MOVED, Phrase.APPEARED),
        Kind.PROGRESS: (Severity.INFO, Symbol.MOVED, Phrase.PROGRESS),
        Kind.SUCCEEDED: (Severity.OK, Symbol.SUCCEEDED, Phrase.SUCCEEDED),
        Kind.FAILED: (Severity.ERROR, Symbol.FAILED, Phrase.FAILED),
        Kind.RESTARTED: (Severity.INFO, Symbol.MOVED, Phrase.RESTARTED),
        Kind.UNKNOWN_STATUS: (Severity.WARNING, Symbol.CHECK, Phrase.UNKNOWN_STATUS),
        Kind.GONE: (Severity.WARNING, Symbol.CHECK, Phrase.GONE),
        Kind.BACK: (Severity.INFO, Symbol.MOVED, Phrase.BACK),
        Kind.STUCK: (Severity.WARNING, Symbol.LATE, Phrase.STUCK),
        Kind.UNSTUCK: (Severity.INFO, Symbol.MOVED, Phrase.UNSTUCK),
        Kind.FAST: (Severity.INFO, Symbol.CHECK, Phrase.FAST),
        Kind.UPDATE_SUCCEEDED: (Severity.OK, Symbol.SUCCEEDED, Phrase.UPDATE_SUCCEEDED),
        Kind.UPDATE_FAILED: (Severity.ERROR, Symbol.FAILED, Phrase.UPDATE_FAILED),
        Kind.UNUSABLE: (Severity.WARNING, Symbol.LATE, Phrase.UNUSABLE),
    }
)
_WITHOUT_FACTS: Final = (Severity.WARNING, Symbol.CHECK, Phrase.STATUS_CHANGED)
"""For an event about polls or receivers that lacks its facts, which no version has written."""
_ABSENCES: Final[Mapping[str | None, Phrase]] = MappingProxyType(
    {
        DecisionReason.NOT_LISTED: Phrase.GONE_FROM_LISTS,
        DecisionReason.NOT_LISTED_WITH_OTHERS: Phrase.GONE_WITH_OTHERS,
    }
)
_BESIDE_SUBJECT: Final = frozenset({Kind.APPEARED, Kind.PROGRESS, Kind.RESTARTED, Kind.BACK})
"""Kinds whose change stands in the first line; a channel reads them all day."""


def compose(event: Event, style: Style = PLAIN_STYLE) -> Message:
    """Return the message about an event; the same event and style give the same message."""
    if is_test(event):
        return compose_test(style)
    if event.incident is not None:
        return incident_message.compose_incident(event, event.incident, style)
    if event.receiver is not None:
        return receiver_message.compose_receiver(event, event.receiver, style, named_title)
    if event.kind is Kind.OVERDUE:
        return compose_overdue(event, style)
    if is_about_service(event):
        return compose_service(event, style)
    return _compose_training(event, style)


def named_title(named: NamedEvent, style: Style = PLAIN_STYLE) -> TextLine:
    """Return the title of the message about an event that another event names."""
    return compose(_named(named), style).title


def _named(named: NamedEvent) -> Event:
    """Return an event of which only the facts of its title are known."""
    incident = None
    if named.incident_kind is not None:
        kind = Kind(named.incident_kind)
        # Most accounts have answered before; a title does not know it.
        incident = IncidentFacts(
            id="",
            kind=kind,
            cause=named.cause,
            detail="",
            evidence=named.evidence,
            since=named.at,
            last_good_at=named.at,
        )
    receiver = None
    if named.receiver is not None:
        receiver = ReceiverFacts(name=named.receiver, since=named.at, reason=NO_REASON, count=named.count)
    return Event(
        id=named.id,
        kind=Kind(named.kind),
        subject=named.subject,
        seq=0,
        reason=named.reason,
        account=named.account,
        service=named.service,
        service_name=named.service_name,
        training_type=named.training_type,
        version=named.version,
        from_status=named.from_status,
        to_status=named.to_status,
        after=named.at,
        before=named.at,
        recorded_at=named.at,
        incident=incident,
        receiver=receiver,
    )


def _compose_training(event: Event, style: Style) -> Message:
    words = style.words
    severity, sign, headline = _STYLES.get(event.kind, _WITHOUT_FACTS)
    marks = tuple(mark_lines((event,), words))
    facts = tuple(_facts(event, style, marked=bool(marks)))
    return Message(
        severity=severity,
        sign=sign,
        headline=words.text(_headline(event, headline)),
        subject=training_line(event, style),
        change=change_line(event, words) if event.kind in _BESIDE_SUBJECT else (),
        facts=facts,
        marks=marks,
        muted=_muted(event, style),
        preview=_preview(event, words, facts),
    )


def _headline(event: Event, usual: Phrase) -> Phrase:
    # Neither `ready` nor `stopping`, nor a status that AiTEMS does not document, is progress.
    is_progress = event.kind in {Kind.PROGRESS, Kind.UNSTUCK}
    return Phrase.STATUS_CHANGED if is_progress and not goes_on(event.to_status) else usual


def _facts(event: Event, style: Style, *, marked: bool) -> Iterator[TextLine]:
    """Yield at most three lines; with a mark at most two, as it takes the place of a guess or the least line."""
    words = style.words
    match event.kind:
        case Kind.FAILED:
            yield from _failure(event, words, marked=marked)
        case Kind.SUCCEEDED:
            yield from success_facts(event, words, whole=not marked)
        case Kind.STUCK:
            yield from stuck_facts(event, words, marked=marked)
        case Kind.UNSTUCK:
            yield from unstuck_facts(event, words)
        case Kind.FAST:
            yield from fast_facts(event, words, marked=marked)
        case Kind.UPDATE_FAILED | Kind.UPDATE_SUCCEEDED:
            yield from update_facts(event, style, marked=marked)
        case Kind.UNUSABLE:
            yield from unusable_facts(event, words)
        case Kind.UNKNOWN_STATUS:
            yield _unknown(event, words)
            yield words.say(Phrase.UNKNOWN_REMEDY)
        case Kind.GONE:
            evidence = _ABSENCES.get(event.reason, Phrase.GONE_FROM_VIEWS)
            yield words.say(evidence, status=status_code(event.from_status))
            yield words.say(Phrase.GONE_REMEDY)


def _failure(event: Event, words: Words, *, marked: bool) -> Iterator[TextLine]:
    yield failure_line(event, words) or _failed_transition(event, words)
    if row := failures_line(event, words):
        yield row
    if not marked:
        yield cause_line(event, words)


def _failed_transition(event: Event, words: Words) -> TextLine:
    if event.from_status is None:
        return words.say(Phrase.FAILED_WHEN_NEW, status=status_code(event.to_status))
    return change_line(event, words)


def _unknown(event: Event, words: Words) -> TextLine:
    change = change_line(event, words)
    if span := run_span(event, words):
        return words.say(Phrase.UNKNOWN_MOVED_AFTER, change=change, duration=span)
    return words.say(Phrase.UNKNOWN_MOVED, change=change)


def _preview(event: Event, words: Words, facts: tuple[TextLine, ...]) -> tuple[TextLine, ...]:
    match event.kind:
        case Kind.SUCCEEDED:
            return tuple(success_preview(event, words))
        case Kind.FAILED:
            return failure_preview(event, words, facts)
        case Kind.STUCK:
            return stuck_preview(event, words, facts)
        case _:
            return facts


def _muted(event: Event, style: Style) -> TextLine:
    words = style.words
    parts = [
        *_took(event, words),
        *stuck_muted(event, words),
        *_missing(event, words),
        *_description(event, words),
        *_created(event, style),
        not_seen(event, words),
        () if names_bounds((event,)) or event.kind is Kind.STUCK else bounds_line(event.after, event.before, words),
        *link_parts(event, words),
        (code(event.short_id),),
    ]
    return capital(words.joined(parts))


def _took(event: Event, words: Words) -> Iterator[TextLine]:
    """Return how long a success took, where no fact says it."""
    is_in_facts = event.comparison is not None and event.comparison.failures
    if event.kind is Kind.SUCCEEDED and not is_in_facts:
        yield took(event, words)


def _missing(event: Event, words: Words) -> Iterator[TextLine]:
    if event.kind is Kind.BACK:
        yield words.say(Phrase.MISSING_FOR, duration=words.duration((event.before - event.after).total_seconds()))


def _description(event: Event, words: Words) -> Iterator[TextLine]:
    if event.kind is Kind.APPEARED and event.record.get("description"):
        yield words.say(Phrase.DESCRIPTION, text=code(event.record["description"], DESCRIPTION_LIMIT))


def _created(event: Event, style: Style) -> Iterator[TextLine]:
    """Return the creation where it tells more than the events do: of a new training, and of a run without a start."""
    is_end = event.kind in {Kind.FAILED, Kind.SUCCEEDED}
    if event.kind is not Kind.APPEARED and not (is_end and event.run is None):
        return
    given = event.record.get("createdDate")
    zone = style.account_zones.get(event.account or "")
    if time := read_date(given, zone):
        yield style.words.say(Phrase.CREATED, time=time)
    elif zone is None and (text := date_without_zone(given)):
        yield style.words.say(Phrase.CREATED_WITHOUT_ZONE, text=text)
    elif given:
        yield style.words.say(Phrase.CREATED_AS_GIVEN, text=code(given))
