"""The message of the command ``test``."""

from __future__ import annotations

from typing import Final

from watcher.core.event import Event
from watcher.core.messages.language.phrases import Phrase
from watcher.core.messages.message import Message, Severity, Style, Symbol
from watcher.core.messages.text import TextLine, code

TEST_REASON: Final = "test"
"""The reason of the event that the command ``test`` sends; no rule about trainings has it."""


def is_test(event: Event) -> bool:
    """Return whether an event is the alert of the command ``test``."""
    return event.reason == TEST_REASON


def compose_test(style: Style) -> Message:
    """Return the message of a test."""
    words = style.words
    return Message(
        severity=Severity.INFO,
        sign=Symbol.TEST,
        headline=words.text(Phrase.TEST),
        subject=words.say(Phrase.RECEIVER, receiver=code(style.receiver)),
        facts=(words.say(Phrase.TEST_OK),),
        muted=_sender(style),
    )


def _sender(style: Style) -> TextLine:
    command = code(f"aitems-watcher test {style.receiver}", 200)
    if not style.host:
        return style.words.say(Phrase.TEST_BY, command=command)
    return style.words.say(Phrase.TEST_BY_ON, command=command, host=code(style.host))
