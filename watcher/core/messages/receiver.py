"""The message about a failing receiver or dead letters: receiver, time, reason and remedy."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, assert_never

from watcher.core.delivery.facts import (
    DeadLetterFacts,
    NamedEvent,
    ReceiverFacts,
    Remedy,
    RemedyCode,
    WaitingEventFacts,
)
from watcher.core.delivery.reason import NO_REASON, Context, Reason
from watcher.core.event import SHORT_ID_LENGTH, Event, Kind
from watcher.core.messages.language.phrases import Phrase
from watcher.core.messages.language.words import ENGLISH_WORDS, Words, capital
from watcher.core.messages.marks import mark_lines
from watcher.core.messages.message import PLAIN_STYLE, Message, Severity, Style, Symbol
from watcher.core.messages.reasons import cause_text, refusal_remedy
from watcher.core.messages.text import Code, TextLine, code, plain_text, rounded_bounds

REASON_LIMIT: Final = 200
ANSWER_LIMIT: Final = 200
COMMAND_LIMIT: Final = 200
URGENT_SHOWN: Final = 10
"""Urgent events that a message about a failing receiver names."""
DEAD_LETTERS_SHOWN: Final = 8
"""Dead letters that a message names; ``deliveries`` lists all of them."""
_WORD: Final = re.compile(r"\w+")
_STATUS: Final = re.compile(r"^\d{3}\b")
"""The status at the beginning of an answer; the reason has it, or names the error instead."""
_FRAMING: Final = frozenset({"ok", "false", "error"})
"""The words around the name of an error in an answer of Slack."""

NamedTitle = Callable[[NamedEvent, Style], TextLine]
"""Writes the title of an event that another event names."""


def compose_receiver(event: Event, facts: ReceiverFacts, style: Style, title: NamedTitle) -> Message:
    """Return the message about a receiver that is failing or has recovered, or about its dead letters.

    Args:
        event: the event.
        facts: its facts about the receiver.
        style: the settings of the receiver that gets the message.
        title: writes the titles of the events that this one names.
    """
    match event.kind:
        case Kind.RECEIVER_RECOVERED:
            return _recovered(event, facts, style)
        case Kind.UNDELIVERED:
            return _undelivered(event, facts, style, _Titles(style, title))
        case _:
            return _failing(event, facts, style, _Titles(style, title))


@dataclass(frozen=True, slots=True)
class _Titles:
    """The titles of events that another event names."""

    style: Style
    title: NamedTitle

    def waiting(self, item: WaitingEventFacts) -> TextLine:
        """Write the title of an urgent event that waits."""
        return self._title(item.event, item.old_about)

    def dead_letter(self, item: DeadLetterFacts) -> TextLine:
        """Write the title of the first event of a dead letter, and the number of the others."""
        title = self._title(item.event, item.old_about)
        more = (" ", *self.style.words.say(Phrase.AND_MORE, count=item.more)) if item.more else ()
        return (*title, *more)

    def _title(self, named: NamedEvent | None, old_about: str) -> TextLine:
        if named is not None:
            return self.title(named, self.style)
        return (code(old_about, REASON_LIMIT),) if old_about else ()


def waiting_title(item: WaitingEventFacts, title: NamedTitle) -> str:
    """Write the title of an urgent event that waits, for programs."""
    return plain_text(_Titles(PLAIN_STYLE, title).waiting(item))


def dead_letter_title(item: DeadLetterFacts, title: NamedTitle) -> str:
    """Write the title of a dead letter, for programs; empty where it is not known."""
    return plain_text(_Titles(PLAIN_STYLE, title).dead_letter(item))


def remedy_text(remedy: Remedy, receiver: str) -> str:
    """Write a remedy for people; for dead letters it is a command.

    Args:
        remedy: the code and its parameter.
        receiver: the name of the receiver that needs the remedy.
    """
    if remedy.code is RemedyCode.RETRY:
        return _retry_command(remedy, receiver)
    return plain_text(remedy_line(remedy, receiver, ENGLISH_WORDS))


def removed_advice() -> str:
    """Return the remedy for receivers that are not configured any more."""
    return remedy_text(Remedy(code=RemedyCode.REMOVED), "")


def remedy_line(remedy: Remedy, receiver: str, words: Words, reason: Reason = NO_REASON) -> TextLine:
    """Return a remedy as a line; it begins with the remedy that the reason of the failure names, if it names one."""
    named = refusal_remedy(reason, words)
    action = named or words.say(Phrase.REPAIR_CAUSE)
    return capital(_remedy(remedy, receiver, words, action, named or words.say(Phrase.REPAIR_RECEIVER)))


def _remedy(remedy: Remedy, receiver: str, words: Words, action: TextLine, repair: TextLine) -> TextLine:
    match remedy.code:
        case RemedyCode.PARKED:
            return words.say(Phrase.REMEDY_PARKED, action=action, command=code("aitems-watcher reload"))
        case RemedyCode.REMOVED:
            commands = {name: code(f"aitems-watcher {name}") for name in ("reload", "deliveries drop")}
            return words.say(Phrase.REMEDY_REMOVED, reload=commands["reload"], drop=commands["deliveries drop"])
        case RemedyCode.FAILING:
            command = code(f"aitems-watcher test {receiver}", COMMAND_LIMIT)
            return words.say(Phrase.REMEDY_FAILING, action=repair, command=command)
        case RemedyCode.RETRY:
            phrase = Phrase.REMEDY_RETRY_ONE if remedy.delivery_id else Phrase.REMEDY_RETRY
            return words.say(phrase, action=action, command=code(_retry_command(remedy, receiver), COMMAND_LIMIT))
        case _:
            assert_never(remedy.code)


def short_delivery_id(identity: str) -> str:
    """Return the beginning of a delivery's id, for a person to type, e.g. ``msg_01jdxq5k``."""
    return identity[:SHORT_ID_LENGTH]


def _retry_command(remedy: Remedy, receiver: str) -> str:
    which = remedy.delivery_id or f"--all-dead --receiver {receiver}"
    return f"aitems-watcher deliveries retry {which}"


def _failing(event: Event, facts: ReceiverFacts, style: Style, titles: _Titles) -> Message:
    words = style.words
    usual = Phrase.WAITING_URGENT if facts.urgent else Phrase.WAITING
    phrase = usual if facts.waiting else Phrase.WAITING_NONE
    waiting = words.counted(phrase, facts.waiting or 0, reason=_cause(facts, words), time=facts.since)
    remedy = tuple(_remedies(facts, words))
    answer = tuple(_answer(facts, words))
    return Message(
        severity=Severity.ERROR,
        sign=Symbol.RECEIVER,
        headline=words.text(Phrase.RECEIVER_FAILING),
        subject=_subject(facts, words),
        facts=(*answer, waiting) if facts.urgent else (waiting, *answer, *remedy),
        rows=tuple(_urgent(facts, titles, words)),
        remedy=remedy if facts.urgent else (),
        marks=tuple(mark_lines((event,), words)),
        muted=_muted(event, words, *_retried(facts, words), _expiry(facts, words)),
        preview=(waiting, *_urgent(facts, titles, words)),
    )


def _cause(facts: ReceiverFacts, words: Words) -> Code:
    return code(cause_text(facts.reason, words), REASON_LIMIT)


def _remedies(facts: ReceiverFacts, words: Words) -> Iterator[TextLine]:
    if facts.remedy is not None:
        yield remedy_line(facts.remedy, facts.name, words, facts.reason)


def _answer(facts: ReceiverFacts, words: Words) -> Iterator[TextLine]:
    """Return the receiver's answer where it tells more than the reason, which stands before it."""
    said = set(_WORD.findall(cause_text(facts.reason, words).lower()))
    if set(_WORD.findall(_STATUS.sub("", facts.answer).lower())) - said - _FRAMING:
        yield words.say(Phrase.ANSWER, answer=code(facts.answer, ANSWER_LIMIT))


def _retried(facts: ReceiverFacts, words: Words) -> Iterator[TextLine]:
    if facts.remedy is not None and facts.remedy.code is RemedyCode.PARKED:
        yield words.say(Phrase.RETRIED)


def _expiry(facts: ReceiverFacts, words: Words) -> TextLine:
    if facts.expires_at is None:
        return words.say(Phrase.EXPIRY)
    return words.say(Phrase.EXPIRE_AT, time=facts.expires_at.replace(microsecond=0))


def _urgent(facts: ReceiverFacts, titles: _Titles, words: Words) -> Iterator[TextLine]:
    for item in facts.urgent[:URGENT_SHOWN]:
        yield words.say(Phrase.WAITING_ROW, event=code(item.id[:SHORT_ID_LENGTH]), title=titles.waiting(item))


def _recovered(event: Event, facts: ReceiverFacts, style: Style) -> Message:
    words = style.words
    since, until = rounded_bounds(facts.since, event.before)
    was_failing = words.say(
        Phrase.WAS_FAILING,
        duration=words.duration(facts.lasted_seconds or 0.0),
        from_time=since,
        to_time=until,
        reason=_cause(facts, words),
    )
    return Message(
        severity=Severity.OK,
        sign=Symbol.RECOVERED,
        headline=words.text(Phrase.RECEIVER_RECOVERED),
        subject=_subject(facts, words),
        facts=(words.counted(Phrase.BEING_SENT, facts.waiting),) if facts.waiting else (),
        marks=tuple(mark_lines((event,), words)),
        muted=_muted(event, words, was_failing),
    )


def _undelivered(event: Event, facts: ReceiverFacts, style: Style, titles: _Titles) -> Message:
    words = style.words
    oldest = words.counted(Phrase.NEVER_DELIVERED, facts.count, time=facts.since, reason=_cause(facts, words))
    return Message(
        severity=Severity.ERROR,
        sign=Symbol.RECEIVER,
        headline=words.text(Phrase.DEAD_LETTERS_ONE if facts.count == 1 else Phrase.DEAD_LETTERS, count=facts.count),
        subject=_subject(facts, words),
        facts=(oldest,),
        rows=tuple(_rows(facts, titles, words)),
        remedy=tuple(_remedies(facts, words)),
        marks=tuple(mark_lines((event,), words)),
        muted=_muted(event, words, *_expired(facts, words)),
        preview=tuple(_rows(facts, titles, words))[:1],
    )


def _expired(facts: ReceiverFacts, words: Words) -> Iterator[TextLine]:
    if Context.EXPIRED in facts.reason.within and facts.ended_at is not None:
        yield words.say(Phrase.EXPIRED, time=facts.ended_at.replace(microsecond=0))


def _subject(facts: ReceiverFacts, words: Words) -> TextLine:
    return words.say(Phrase.RECEIVER, receiver=code(facts.name))


def _rows(facts: ReceiverFacts, titles: _Titles, words: Words) -> Iterator[TextLine]:
    for dead_letter in facts.deliveries[:DEAD_LETTERS_SHOWN]:
        yield words.say(
            Phrase.DEAD_ROW, delivery=code(short_delivery_id(dead_letter.id)), title=titles.dead_letter(dead_letter)
        )
    if facts.count > DEAD_LETTERS_SHOWN:
        yield words.say(Phrase.AND_MORE, count=facts.count - DEAD_LETTERS_SHOWN)


def _muted(event: Event, words: Words, *parts: TextLine) -> TextLine:
    return capital(words.joined((*parts, (code(event.short_id),))))
