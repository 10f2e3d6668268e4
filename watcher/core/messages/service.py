"""The message about a service that a pattern watches: it appeared, no longer exists, or exists again."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from watcher.core.event import Event, Kind
from watcher.core.messages.language.phrases import Phrase
from watcher.core.messages.language.words import capital
from watcher.core.messages.last_line import bounds_line, link_parts
from watcher.core.messages.marks import mark_lines, names_bounds
from watcher.core.messages.message import Message, Severity, Style, Symbol
from watcher.core.messages.subject import service_code
from watcher.core.messages.text import code

_STYLES: Final[Mapping[Kind, tuple[Severity, Symbol, Phrase]]] = MappingProxyType(
    {
        Kind.APPEARED: (Severity.INFO, Symbol.MOVED, Phrase.SERVICE_APPEARED),
        Kind.GONE: (Severity.WARNING, Symbol.CHECK, Phrase.SERVICE_GONE),
        Kind.BACK: (Severity.INFO, Symbol.MOVED, Phrase.SERVICE_BACK),
    }
)
_FACTS: Final[Mapping[Kind, tuple[Phrase, ...]]] = MappingProxyType(
    {
        Kind.APPEARED: (Phrase.SERVICE_WATCHED,),
        Kind.GONE: (Phrase.SERVICE_GONE_EVIDENCE, Phrase.GONE_REMEDY),
        Kind.BACK: (Phrase.SERVICE_WATCHED,),
    }
)


def is_about_service(event: Event) -> bool:
    """Return whether an event is about the presence of a service."""
    is_special = event.incident is not None or event.receiver is not None
    return event.service is not None and event.version is None and not is_special and event.kind in _STYLES


def compose_service(event: Event, style: Style) -> Message:
    """Return the message about a service that appeared, is gone or is back."""
    words = style.words
    severity, sign, headline = _STYLES[event.kind]
    bounds = () if names_bounds((event,)) else bounds_line(event.after, event.before, words)
    parts = (bounds, *link_parts(event, words), (code(event.short_id),))
    return Message(
        severity=severity,
        sign=sign,
        headline=words.text(headline),
        subject=(service_code(event, style),),
        facts=tuple(words.say(phrase) for phrase in _FACTS[event.kind]),
        marks=tuple(mark_lines((event,), words)),
        muted=capital(words.joined(parts)),
    )
