"""Lines that set a training beside earlier ones: its duration, its place in a row, and the settings that changed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Final

from watcher.core.event import Event
from watcher.core.messages.change import run_span, status_code
from watcher.core.messages.language.phrases import Phrase
from watcher.core.messages.language.words import Words, capital
from watcher.core.messages.text import Minute, Piece, TextLine, code
from watcher.core.training.comparison import Comparison, OtherVersion, SettingChange, UsualFacts
from watcher.core.training.model import Status

CHANGES_MAX: Final = 3
"""Settings that a message shows; the others are counted."""
OPTION_LIMIT: Final = 60
VALUE_LIMIT: Final = 40
"""Characters of a setting's name and of its value that are shown."""
NO_COMPARISON: Final = Comparison()

_GUESSES: Final[Mapping[str | None, tuple[Phrase, Phrase]]] = MappingProxyType(
    {
        Status.REQUEST_FAILED: (Phrase.GUESS_REQUEST, Phrase.GUESS_REQUEST_UNCHANGED),
        Status.REFINED_FAILED: (Phrase.GUESS_DATA, Phrase.GUESS_DATA_UNCHANGED),
    }
)
"""Where to look first by the class of the failure; the second where the settings are those of the last good version."""
_TRAINING_GUESSES: Final = (Phrase.GUESS_TRAINING, Phrase.GUESS_TRAINING_UNCHANGED)


def usual_of(event: Event) -> UsualFacts | None:
    """Return how long runs take that complete; ``None`` where that says nothing about this one.

    A request or a data set that is refused never gets as far as a training that completes.
    """
    return None if event.comparison is None or event.to_status in _GUESSES else event.comparison.usual


def usual_range(usual: UsualFacts, words: Words) -> str:
    """Write the range in which the middle 80 % of earlier runs lie."""
    return words.duration_range(usual.low.total_seconds(), usual.high.total_seconds())


def usual_values(usual: UsualFacts, words: Words) -> dict[str, TextLine]:
    """Return the parameters of a phrase about usual durations: the range, since when, and of how many runs."""
    shown: TextLine = (usual_range(usual, words),)
    if usual.level_since is not None:
        shown = words.say(Phrase.USUAL_SINCE, usual=shown, time=Minute(usual.level_since))
    return {"usual": shown, "runs": runs_of(usual, words)}


def runs_of(usual: UsualFacts, words: Words) -> TextLine:
    """Count the runs of a sample, and say where they are those of the whole account."""
    return words.counted(Phrase.RUNS_OF_ACCOUNT if usual.whole_account else Phrase.RUNS, usual.runs)


def failure_line(event: Event, words: Words) -> TextLine:
    """Say after how long a run failed and whether that is usual; empty where its start is not known."""
    span = run_span(event, words)
    if not span:
        return ()
    facts = event.comparison or NO_COMPARISON
    status = status_code(event.to_status)
    if (usual := usual_of(event)) is not None:
        values = usual_values(usual, words)
        return words.say(Phrase.FAILED_AFTER_USUAL, status=status, duration=span, **values)
    if facts.until_failure is not None:
        values = usual_values(facts.until_failure, words)
        return words.say(Phrase.FAILED_AFTER_FAILURES, status=status, duration=span, **values)
    return words.say(Phrase.FAILED_AFTER, status=status, duration=span)


def failures_line(event: Event, words: Words) -> TextLine:
    """Return the place of a failure in a row, and the last good version; empty without both."""
    facts = event.comparison
    if facts is None:
        return ()
    return capital(words.joined((_failures(facts, words), _last_good(facts, event.before, words))))


def place_line(facts: Comparison, words: Words, *, failed: bool) -> TextLine:
    """Return the place of a run in a row: of a failure, or of a success after failures; empty for any other."""
    if failed:
        return capital(_failures(facts, words))
    return words.counted(Phrase.FIRST_SUCCESS, facts.failures) if facts.failures else ()


def _failures(facts: Comparison, words: Words) -> TextLine:
    if facts.failures > 1:
        return words.say(Phrase.NTH_FAILURE, nth=words.ordinal(facts.failures))
    return words.counted(Phrase.FIRST_FAILURE, facts.successes) if facts.successes else ()


def _last_good(facts: Comparison, now: datetime, words: Words) -> TextLine:
    last = facts.last_good
    if last is not None and not (age := _age(last, now, words)):
        return words.say(Phrase.LAST_GOOD_VERSION, version=code(last.version))
    if last is not None:
        return words.say(Phrase.LAST_GOOD, version=code(last.version), age=age)
    return words.say(Phrase.NO_GOOD) if facts.failures > 1 else ()


def _age(last: OtherVersion, now: datetime, words: Words) -> str:
    return "" if last.ended is None else words.age((now - last.ended.middle).total_seconds())


def last_good_ago(event: Event, words: Words) -> str:
    """Write how long ago the last version completed; empty where that is not known."""
    last = None if event.comparison is None else event.comparison.last_good
    age = "" if last is None else _age(last, event.before, words)
    return words.text(Phrase.AGO, age=age) if age else ""


def cause_line(event: Event, words: Words) -> TextLine:
    """Return the settings that changed since the last good version, or else where to look first: a guess each."""
    return guess_line(event.comparison or NO_COMPARISON, event.to_status, words)


def guess_line(facts: Comparison, status: str | None, words: Words) -> TextLine:
    """Return the same for a run that failed with a status, from its comparison."""
    is_compared = facts.last_good is not None and facts.compared_with is not None
    if is_compared and facts.changes:
        return words.counted(Phrase.CHANGED_GUESS, len(facts.changes), changes=settings_line(facts.changes, words))
    usual, unchanged = _GUESSES.get(status, _TRAINING_GUESSES)
    return words.say(unchanged if is_compared else usual)


def settings_line(changes: Sequence[SettingChange], words: Words) -> TextLine:
    """List settings with their old and new values."""
    return words.listed([_setting(change, words) for change in changes], CHANGES_MAX)


def _setting(change: SettingChange, words: Words) -> TextLine:
    old, new = _value(change.old, words), _value(change.new, words)
    return words.say(Phrase.SETTING_CHANGE, option=code(change.option, OPTION_LIMIT), old=old, new=new)


def _value(value: object, words: Words) -> Piece:
    """Return a value of JSON; in code style, as it comes from outside, except a short number."""
    if value is None:
        return words.text(Phrase.NOT_SET)
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    is_plain = isinstance(value, bool | int | float) and len(text) <= VALUE_LIMIT
    return text if is_plain else code(text, VALUE_LIMIT)


def success_facts(event: Event, words: Words, *, whole: bool) -> Iterator[TextLine]:
    """Return the facts of a success after failures, the changed settings where ``whole``; any other has none."""
    facts = event.comparison
    if facts is None or not facts.failures:
        return
    first = words.counted(Phrase.FIRST_SUCCESS, facts.failures)
    yield words.joined((first, _previous_good(facts, event.before, words)))
    if line := took(event, words):
        yield capital(line)
    if whole and facts.compared_with is not None and facts.changes:
        yield words.say(Phrase.CHANGED_SINCE_FAILURE, changes=settings_line(facts.changes, words))


def _previous_good(facts: Comparison, now: datetime, words: Words) -> TextLine:
    age = "" if facts.last_good is None else _age(facts.last_good, now, words)
    return words.say(Phrase.PREVIOUS_GOOD_AGE, age=age) if age else ()


def took(event: Event, words: Words) -> TextLine:
    """Say how long a run took and whether that is usual; empty where its start is not known."""
    span = run_span(event, words)
    if not span:
        return ()
    if (usual := usual_of(event)) is None:
        return words.say(Phrase.TOOK, duration=span)
    return words.say(Phrase.TOOK_USUAL, duration=span, **usual_values(usual, words))


def failure_preview(event: Event, words: Words, facts: tuple[TextLine, ...]) -> tuple[TextLine, ...]:
    """Return the facts for a phone's preview: a failure in a row is more important than its status."""
    compared, span, usual = event.comparison, run_span(event, words), usual_of(event)
    if compared is None or compared.failures <= 1:
        return facts
    first = words.say(Phrase.NTH_FAILURE, nth=words.ordinal(compared.failures))
    if usual is not None and span:
        shown = usual_range(usual, words)
        first = words.say(Phrase.NTH_FAILURE_AFTER, failure=first, duration=span, usual=shown)
    return tuple(line for line in (first, capital(_last_good(compared, event.before, words))) if line)


def success_preview(event: Event, words: Words) -> Iterator[TextLine]:
    """Return the facts for a phone's preview: the end of a row of failures, and how long the run took."""
    facts = event.comparison or NO_COMPARISON
    if facts.failures:
        yield words.counted(Phrase.FIRST_SUCCESS, facts.failures)
    span = run_span(event, words)
    if span and facts.usual is not None:
        yield capital(words.say(Phrase.TOOK_SHORT, duration=span, usual=usual_range(facts.usual, words)))
    elif span:
        yield capital(words.say(Phrase.TOOK, duration=span))
