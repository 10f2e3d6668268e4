"""The message about failing polls and the store, worded so that nobody takes it for a failed training."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import lru_cache
from types import MappingProxyType
from typing import Final
from urllib.parse import unquote

from watcher.core.event import SHORT_ID_LENGTH, STORE_KINDS, Event, IncidentFacts, Kind, PreviousCause
from watcher.core.incidents.model import IncidentChangeKind
from watcher.core.messages.advice import CLOCK_COMMAND, DISK_FULL, STORE_REMOVED, remedy_lines, store_cause
from watcher.core.messages.incident_subject import About, about, subject_line
from watcher.core.messages.language.phrases import Phrase
from watcher.core.messages.language.words import Words, capital
from watcher.core.messages.marks import mark_lines
from watcher.core.messages.message import Message, Severity, Style, Symbol
from watcher.core.messages.text import Code, TextLine, code, rounded_bounds
from watcher.core.polling.plan import EVERY_SERVICE
from watcher.core.polling.result import Cause

DETAIL_LIMIT: Final = 200
COVERED_MAX: Final = 4
"""Problems that an account's message names; the others are counted."""
_CAUSES: Final[Mapping[str, Phrase]] = MappingProxyType(
    {
        Cause.SERVER: Phrase.CAUSE_SERVER,
        Cause.DEADLINE: Phrase.CAUSE_DEADLINE,
        Cause.DNS: Phrase.CAUSE_DNS,
        Cause.TLS: Phrase.CAUSE_TLS,
        Cause.CONNECT: Phrase.CAUSE_CONNECT,
        Cause.RESET: Phrase.CAUSE_RESET,
        Cause.BAD_ANSWER: Phrase.CAUSE_BAD_ANSWER,
    }
)
_HEADLINES: Final[Mapping[str, Phrase]] = MappingProxyType(
    {
        Cause.KEY: Phrase.KEY_REJECTED,
        Cause.PERMISSION: Phrase.PERMISSION,
        Cause.QUOTA: Phrase.QUOTA,
        Cause.THROTTLE: Phrase.THROTTLED,
        Cause.RATE: Phrase.THROTTLED,
        Cause.REFUSED: Phrase.REQUEST_REFUSED,
    }
)
"""Causes whose headline names AiTEMS' refusal; the others say that it does not answer."""
_ENDS: Final[Mapping[str, Phrase]] = MappingProxyType(
    {
        Cause.KEY: Phrase.KEY_ACCEPTED,
        Cause.PERMISSION: Phrase.PERMISSION_GRANTED,
        Cause.QUOTA: Phrase.QUOTA_FREE,
        Cause.THROTTLE: Phrase.RATE_FREE,
        Cause.RATE: Phrase.RATE_FREE,
        Cause.REFUSED: Phrase.REQUEST_ACCEPTED,
        Cause.CLOCK: Phrase.REQUEST_ACCEPTED,
        Cause.NOT_FOUND: Phrase.REQUEST_ACCEPTED,
    }
)
"""The headline of the end, for causes that are answers: AiTEMS has answered all along."""
_UNKNOWN: Final[Mapping[About, Phrase]] = MappingProxyType(
    {About.SERVICE: Phrase.SERVICE_NOT_FOUND, About.TRAINING: Phrase.TRAINING_NOT_FOUND}
)
"""The headline of a 404 by its subject; for another subject it is a request that AiTEMS refuses."""
_PAUSING: Final = frozenset({Cause.QUOTA, Cause.THROTTLE, Cause.RATE})


def compose_incident(event: Event, facts: IncidentFacts, style: Style) -> Message:
    """Return the message about an incident that began, has a new cause, or ended."""
    ended = event.kind in {Kind.RECOVERED, Kind.STORE_RECOVERED}
    words = style.words
    parts = _ending_parts(event, facts, words) if ended else _beginning_parts(event, facts, words)
    lines = _ending(event, facts, words) if ended else _beginning(event, facts, words)
    return Message(
        severity=Severity.OK if ended else _severity(event),
        sign=Symbol.RECOVERED if ended else Symbol.STORE if event.kind in STORE_KINDS else Symbol.POLLING,
        headline=words.text(_recovered(event, facts)) if ended else _headline(event, facts, words),
        subject=subject_line(event, style),
        facts=tuple(lines),
        marks=tuple(mark_lines((event,), words)),
        muted=capital(words.joined((*parts, (short_id(facts),)))),
    )


def short_id(facts: IncidentFacts) -> Code:
    """Return the beginning of an incident's id, as long as that of an event's."""
    return code(facts.id[:SHORT_ID_LENGTH])


def _severity(event: Event) -> Severity:
    return Severity.WARNING if event.kind is Kind.THROTTLED else Severity.ERROR


def _headline(event: Event, facts: IncidentFacts, words: Words) -> str:
    if event.kind in STORE_KINDS:
        return words.text(Phrase.STORE_FAILING, cause=store_cause(facts.cause, words))
    if facts.cause == Cause.NOT_FOUND:
        return words.text(_UNKNOWN.get(about(event), Phrase.REQUEST_REFUSED), evidence=_evidence(facts, words))
    if facts.cause == Cause.CLOCK:
        return _clock_headline(facts, words)
    if facts.cause in _HEADLINES:
        return words.text(_HEADLINES[facts.cause], evidence=_evidence(facts, words))
    goes_on = event.reason == IncidentChangeKind.UPDATED
    return words.text(Phrase.STILL_NO_ANSWER if goes_on else Phrase.NO_ANSWER, cause=short_cause(facts, words))


def _clock_headline(facts: IncidentFacts, words: Words) -> str:
    ahead = facts.evidence.server_ahead_seconds
    if not ahead:
        return words.text(Phrase.CLOCK_WRONG)
    return words.text(Phrase.CLOCK_BEHIND if ahead > 0 else Phrase.CLOCK_AHEAD, duration=words.duration(abs(ahead)))


def _evidence(facts: IncidentFacts, words: Words) -> str:
    found = facts.evidence
    if found.http_status is None:
        return ""
    if found.code is None:
        return words.text(Phrase.EVIDENCE, http=found.http_status)
    return words.text(Phrase.EVIDENCE_CODE, http=found.http_status, code=found.code)


def short_cause(facts: IncidentFacts, words: Words) -> str:
    """Write the cause in one or two words, e.g. ``HTTP 503`` or ``timeout``."""
    if facts.kind in STORE_KINDS:
        return words.text(Phrase.STORE_OTHER, cause=store_cause(facts.cause, words))
    http = facts.evidence.http_status
    if facts.cause in _CAUSES and not (facts.cause == Cause.SERVER and http is not None):
        return words.text(_CAUSES[facts.cause])
    if http is not None:
        return words.text(Phrase.CAUSE_HTTP, http=http)
    return words.text(Phrase.CAUSE_OTHER, cause=code(facts.cause))


def _recovered(event: Event, facts: IncidentFacts) -> Phrase:
    match about(event):
        case About.STORE:
            return Phrase.STORE_RECOVERED
        case About.CLOCK:
            return Phrase.CLOCK_RIGHT
        case About.TRAINING if facts.kind is Kind.NOT_FOUND:
            return Phrase.TRAINING_FOUND
        case About.SERVICE if facts.kind is Kind.NOT_FOUND:
            return Phrase.SERVICE_FOUND
        case _:
            usual = Phrase.ANSWERS_NOW if facts.last_good_at is None else Phrase.ANSWERS_AGAIN
            return _ENDS.get(facts.cause, usual)


def _beginning(event: Event, facts: IncidentFacts, words: Words) -> Iterator[TextLine]:
    yield _state(event, facts, words)
    yield from pause_lines(facts, words)
    if about(event) is About.CLOCK:
        yield words.say(Phrase.REMEDY_CLOCK_EARLY, command=code(CLOCK_COMMAND))
    else:
        yield from remedy_lines(facts, words)
    if detail_helps(facts):
        yield words.say(Phrase.DETAIL, detail=code(facts.detail, DETAIL_LIMIT))


def _state(event: Event, facts: IncidentFacts, words: Words) -> TextLine:
    if about(event) is About.CLOCK:
        return words.say(Phrase.CLOCK_NO_EFFECT)
    if event.reason == IncidentChangeKind.UPDATED:
        lasted = (event.recorded_at - facts.since).total_seconds()
        return _goes_on(facts, words.duration(lasted), words)
    if about(event) is About.ACCOUNT and facts.services and facts.cause != Cause.CLOCK:
        return words.counted(Phrase.NO_STATUS_SERVICES, facts.services, time=facts.since)
    return words.say(_state_phrase(event, facts), time=facts.since)


def pause_lines(facts: IncidentFacts, words: Words) -> Iterator[TextLine]:
    """Return the end of the account's pause, if its requests pause."""
    if facts.paused_until is not None:
        yield words.say(Phrase.PAUSES_UNTIL, time=facts.paused_until.replace(microsecond=0))


def _goes_on(facts: IncidentFacts, lasted: str, words: Words) -> TextLine:
    if facts.previous is None:
        return words.say(Phrase.GOES_ON, duration=lasted, time=facts.since)
    until = facts.previous.until.replace(microsecond=0)
    cause = short_cause(_before(facts, facts.previous), words)
    return words.say(Phrase.GOES_ON_AFTER, duration=lasted, time=facts.since, until=until, cause=cause)


def _before(facts: IncidentFacts, previous: PreviousCause) -> IncidentFacts:
    """Return the facts of an incident as they were before its cause changed."""
    return replace(facts, cause=previous.cause, detail=previous.detail, evidence=previous.evidence, previous=None)


def _state_phrase(event: Event, facts: IncidentFacts) -> Phrase:
    if facts.cause == Cause.CLOCK:
        return Phrase.CLOCK_EFFECT
    match about(event):
        case About.STORE:
            return Phrase.STORE_PAUSED if facts.cause == DISK_FULL else Phrase.STORE_UNRECORDED
        case About.SERVICES:
            return Phrase.NO_SERVICE_LIST
        case About.UPDATES:
            return Phrase.NO_UPDATES
        case About.TRAINING:
            return Phrase.NEVER_A_STATUS if facts.last_good_at is None else Phrase.NO_STATUS_TRAINING
        case _:
            return Phrase.NO_STATUS_SERVICE


def detail_helps(facts: IncidentFacts) -> bool:
    """Say whether the detail tells more than the headline: not for an answer or a fault that the headline names."""
    if facts.cause == STORE_REMOVED:
        return False
    named = facts.cause in {*_HEADLINES, Cause.SERVER} and facts.evidence.http_status is not None
    return bool(facts.detail) and not named and facts.cause not in {Cause.CLOCK, Cause.NOT_FOUND}


def _beginning_parts(event: Event, facts: IncidentFacts, words: Words) -> Iterator[TextLine]:
    if about(event) is About.STORE:
        if facts.cause == DISK_FULL:
            yield words.say(Phrase.STORE_MISSED)
        return
    if facts.cause in _PAUSING and facts.paused_until is None:
        yield words.say(Phrase.PAUSES)
    if about(event) is About.CLOCK:
        yield words.say(Phrase.CLOCK_SINCE, time=facts.since)
    elif about(event) is About.SERVICES:
        yield words.say(Phrase.KNOWN_SERVICES)
    elif about(event) is About.UPDATES:
        yield words.say(Phrase.UPDATES_OFF, key=code("updates = false"))
    elif facts.last_good_at is not None:
        yield words.say(Phrase.LATER)
        yield words.say(Phrase.LAST_ANSWER, time=facts.last_good_at)
    if facts.cause == Cause.CLOCK and about(event) is not About.CLOCK:
        yield words.say(Phrase.OWN_CLOCK)
    yield from _covers(facts, words)


def _ending(event: Event, facts: IncidentFacts, words: Words) -> Iterator[TextLine]:
    if about(event) is About.CLOCK:
        # Setting the clock changes the span between two of its times.
        yield words.say(Phrase.CLOCK_SINCE, time=facts.since)
        return
    if about(event) is About.STORE:
        yield words.say(Phrase.STORE_BACK_PAUSED if facts.cause == DISK_FULL else Phrase.STORE_BACK)
        return
    yield _lasted(event, facts, words, Phrase.WAS_UNREACHABLE)


def _lasted(event: Event, facts: IncidentFacts, words: Words, usual: Phrase) -> TextLine:
    since, until = rounded_bounds(facts.since, event.before)
    lasted = words.duration(facts.lasted_seconds or 0.0)
    if facts.kind is Kind.NOT_FOUND and facts.previous is None and about(event) in _UNKNOWN:
        return words.say(Phrase.WAS_NOT_FOUND, duration=lasted, from_time=since, to_time=until)
    return words.say(usual, duration=lasted, from_time=since, to_time=until, cause=_causes(facts, words))


def _causes(facts: IncidentFacts, words: Words) -> str:
    """Write the cause of an incident that is over, behind the former one where that was another."""
    then = short_cause(facts, words)
    if facts.previous is None:
        return then
    return words.text(Phrase.CAUSE_THEN, first=short_cause(_before(facts, facts.previous), words), then=then)


def _ending_parts(event: Event, facts: IncidentFacts, words: Words) -> Iterator[TextLine]:
    match about(event):
        case About.STORE:
            paused = facts.cause == DISK_FULL
            yield _lasted(event, facts, words, Phrase.WAS_PAUSED if paused else Phrase.WAS_UNWRITABLE)
        case About.CLOCK | About.SERVICES | About.UPDATES:
            pass
        case About.ACCOUNT:
            yield words.say(Phrase.REPORTED_APART)
        case _:
            first = facts.last_good_at is None
            yield words.say(Phrase.BASELINE_FOLLOWS if first else Phrase.REPORTED_APART)
    if about(event) is not About.CLOCK and facts.kind is Kind.CLOCK_SKEW:
        yield words.say(Phrase.OWN_CLOCK)
    yield from _covers(facts, words)


def _covers(facts: IncidentFacts, words: Words) -> Iterator[TextLine]:
    if facts.covers:
        yield words.say(Phrase.COVERS, list=words.listed([_covered(item, words) for item in facts.covers], COVERED_MAX))


def _covered(subject: str, words: Words) -> TextLine:
    """Write the last part of a subject of the store such as ``service:main/6wxgu1abcde``."""
    kind, _, path = subject.partition(":")
    parts = path.split("/")
    if kind != "service":
        return words.say(Phrase.TRAINING, version=code(_unquoted(parts[-1])))
    if _unquoted(parts[-1]) == EVERY_SERVICE:
        return words.say(Phrase.SERVICE_LIST, account=code(_unquoted(parts[0])))
    return words.say(Phrase.SERVICE, service=code(_unquoted(parts[-1])))


# A message about many incidents names the same services again and again.
_unquoted: Final = lru_cache(256)(unquote)
