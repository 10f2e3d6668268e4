"""Parts of a message about one change of a training: its statuses, and how long the run took."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from watcher.core.durations.current_run import Bounds
from watcher.core.event import Event
from watcher.core.messages.language.phrases import Phrase
from watcher.core.messages.language.words import Words
from watcher.core.messages.text import Code, TextLine, code

STAGES_MAX: Final = 3
"""Skipped stages that are shown; AiTEMS has at most two between two statuses."""


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
    return "" if event.run is None else span_since(event.run.bounds, event.after, event.before, words)


def span_since(start: Bounds, after: datetime, before: datetime, words: Words) -> str:
    """Write how long it took from a start to something that happened between two times."""
    return words.span((after - start.before).total_seconds(), (before - start.after).total_seconds())


def not_seen(event: Event, words: Words) -> TextLine:
    """Return the stages between the two statuses that no poll returned; empty without any."""
    if not event.skipped:
        return ()
    return words.say(Phrase.NOT_SEEN, stages=words.listed([(code(stage),) for stage in event.skipped], STAGES_MAX))
