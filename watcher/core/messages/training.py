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
from watcher.core.messages.check_alert import compose_test, is_test
from watcher.core.messages.last_line import bounds_line, link_parts
from watcher.core.messages.marks import mark_lines, mark_texts, names_bounds
from watcher.core.messages.message import PLAIN_STYLE, Message, Severity, Style, Symbol
from watcher.core.messages.phrases import Phrase
from watcher.core.messages.service import compose_service, is_about_service
from watcher.core.messages.subject import training_line
from watcher.core.messages.text import Code, TextLine, code, one_line, plain_text
from watcher.core.messages.words import Words, capital
from watcher.core.timestamps import date_without_zone, read_date
from watcher.core.training.decision import DecisionReason
from watcher.core.training.model import Phase, Status, phase_of

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
STAGES_MAX: Final = 3
"""Skipped stages that are shown; AiTEMS has at most two between two statuses."""

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
    }
)
_WITHOUT_FACTS: Final = (Severity.WARNING, Symbol.CHECK, Phrase.STATUS_CHANGED)
"""For an event about polls or receivers that lacks its facts, which no version has written."""
_GUESSES: Final[Mapping[str | None, Phrase]] = MappingProxyType(
    {Status.REQUEST_FAILED: Phrase.GUESS_REQUEST, Status.REFINED_FAILED: Phrase.GUESS_DATA}
)
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


def status_code(status: str | None) -> Code:
    """Return a status as AiTEMS wrote it."""
    return code("(none)" if status is None else status)


def change_line(event: Event, words: Words) -> TextLine:
    """Return the transition, or the status alone where the former one is not known."""
    if event.from_status is None:
        return (status_code(event.to_status),)
    return words.say(Phrase.TRANSITION, old=status_code(event.from_status), new=status_code(event.to_status))


def run_span(event: Event, words: Words) -> str:
    """Write how long the run took from its start to this event; empty where its start is not known."""
    if event.run is None:
        return ""
    shortest = (event.after - event.run.started_before).total_seconds()
    longest = (event.before - event.run.started_after).total_seconds()
    return words.span(shortest, longest)


def _compose_training(event: Event, style: Style) -> Message:
    words = style.words
    severity, sign, headline = _STYLES.get(event.kind, _WITHOUT_FACTS)
    marks = tuple(mark_lines((event,), words))
    facts = tuple(_facts(event, words, guess=not marks))
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
    moved_aside = event.to_status == Status.STOPPING or phase_of(event.to_status or "") is not Phase.IN_PROGRESS
    return Phrase.STATUS_CHANGED if event.kind is Kind.PROGRESS and moved_aside else usual


def _facts(event: Event, words: Words, *, guess: bool) -> Iterator[TextLine]:
    match event.kind:
        case Kind.FAILED:
            yield _failure(event, words)
            if guess:
                yield words.say(_GUESSES.get(event.to_status, Phrase.GUESS_TRAINING))
        case Kind.UNKNOWN_STATUS:
            yield _unknown(event, words)
            yield words.say(Phrase.UNKNOWN_REMEDY)
        case Kind.GONE:
            evidence = _ABSENCES.get(event.reason, Phrase.GONE_FROM_VIEWS)
            yield words.say(evidence, status=status_code(event.from_status))
            yield words.say(Phrase.GONE_REMEDY)


def _failure(event: Event, words: Words) -> TextLine:
    if span := run_span(event, words):
        return words.say(Phrase.FAILED_AFTER, status=status_code(event.to_status), duration=span)
    if event.from_status is None:
        return words.say(Phrase.FAILED_WHEN_NEW, status=status_code(event.to_status))
    return change_line(event, words)


def _unknown(event: Event, words: Words) -> TextLine:
    change = change_line(event, words)
    if span := run_span(event, words):
        return words.say(Phrase.UNKNOWN_MOVED_AFTER, change=change, duration=span)
    return words.say(Phrase.UNKNOWN_MOVED, change=change)


def _preview(event: Event, words: Words, facts: tuple[TextLine, ...]) -> tuple[TextLine, ...]:
    if event.kind is Kind.SUCCEEDED:
        return tuple(capital(line) for line in _took(event, words))
    return facts


def _muted(event: Event, style: Style) -> TextLine:
    words = style.words
    parts = [
        *_took(event, words),
        *_missing(event, words),
        *_description(event, words),
        *_created(event, style),
        *_not_seen(event, words),
        () if names_bounds((event,)) else bounds_line(event.after, event.before, words),
        *link_parts(event, words),
        (code(event.short_id),),
    ]
    return capital(words.joined(parts))


def _took(event: Event, words: Words) -> Iterator[TextLine]:
    if event.kind is Kind.SUCCEEDED and (span := run_span(event, words)):
        yield words.say(Phrase.TOOK, duration=span)


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


def _not_seen(event: Event, words: Words) -> Iterator[TextLine]:
    if event.skipped:
        yield not_seen(event, words)


def not_seen(event: Event, words: Words) -> TextLine:
    """Return the stages between the two statuses that no poll returned."""
    return words.say(Phrase.NOT_SEEN, stages=words.listed([(code(stage),) for stage in event.skipped], STAGES_MAX))
