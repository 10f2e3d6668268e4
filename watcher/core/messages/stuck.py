"""Lines about a training that may be stuck, that continues, or that completed unusually fast."""

from __future__ import annotations

from collections.abc import Iterator

from watcher.core.event import Event, Kind
from watcher.core.messages.change import change_line, span_since, status_code
from watcher.core.messages.comparison import took, usual_range, usual_values
from watcher.core.messages.language.phrases import Phrase
from watcher.core.messages.language.words import Words, capital
from watcher.core.messages.text import Minute, TextLine
from watcher.core.training.comparison import EndFacts, StuckFacts
from watcher.core.training.model import Status, goes_on


def stuck_facts(event: Event, words: Words, *, marked: bool) -> Iterator[TextLine]:
    """Return how long it lasts and whether that is usual, how it is known, and the remedy; two lines if marked."""
    facts = event.stuck
    yield _status(event) if facts is None else _lasts(event, facts, words)
    is_configured = facts is not None and not facts.learned
    if facts is not None and is_configured:
        yield words.say(Phrase.STUCK_CONFIGURED, limit=words.duration(facts.limit.total_seconds()))
    elif not marked:
        yield words.say(Phrase.STUCK_GUESS)
    if not (marked and is_configured):
        is_stopping = event.to_status == Status.STOPPING
        yield words.say(Phrase.STUCK_REMEDY_STOPPING if is_stopping else Phrase.STUCK_REMEDY)


def stuck_row(event: Event, words: Words) -> TextLine:
    """Return how long the stage or the run lasts, for a row of a list."""
    if event.stuck is None:
        return _status(event)
    return words.say(Phrase.STAGE_FOR, status=_status(event), duration=elapsed(event, event.stuck, words))


def stuck_preview(event: Event, words: Words, facts: tuple[TextLine, ...]) -> tuple[TextLine, ...]:
    """Return the facts for a phone's preview: that of a learned limit says in its first line that it is a guess."""
    known = event.stuck
    if known is None or not known.learned or known.usual is None:
        return facts[:2]
    duration, usual = elapsed(event, known, words), usual_range(known.usual, words)
    phrase = Phrase.RUN_STUCK_SHORT if known.whole_run else Phrase.STUCK_SHORT
    return (words.say(phrase, status=_status(event), duration=duration, usual=usual),)


def unstuck_facts(event: Event, words: Words) -> Iterator[TextLine]:
    """Return the change, how long it took to come and whether that is usual, and the expected end."""
    yield _moved(event, words)
    # A former version gave an end to a training that is being stopped.
    if event.expected_end is not None and goes_on(event.to_status):
        yield end_line(event.expected_end, words)


def end_line(end: EndFacts, words: Words) -> TextLine:
    """Return an expected end, as the estimate that it is."""
    runs = words.counted(Phrase.RUNS, end.runs)
    return words.say(Phrase.ENDS, time=Minute(end.median), low=Minute(end.low), high=Minute(end.high), runs=runs)


def fast_facts(event: Event, words: Words, *, marked: bool) -> Iterator[TextLine]:
    """Return how long a run took, which is far below the usual, and where to look."""
    if line := took(event, words):
        yield capital(line)
    if not marked:
        yield words.say(Phrase.FAST_GUESS)


def stuck_muted(event: Event, words: Words) -> Iterator[TextLine]:
    """Return when a training was reported as stuck; with ``stuck`` also the latest poll and the next message."""
    facts = event.stuck
    if facts is not None and facts.reported_at is not None:
        yield words.say(Phrase.REPORTED_STUCK, time=Minute(facts.reported_at))
    if event.kind is Kind.STUCK:
        yield words.say(Phrase.POLLED, time=event.before.replace(microsecond=0))
        yield _next(facts, words)


def _next(facts: StuckFacts | None, words: Words) -> TextLine:
    if facts is None or facts.next_limit is None:
        return words.say(Phrase.NEXT_ON_CHANGE)
    return words.say(Phrase.NEXT_STUCK, duration=words.duration(facts.next_limit.total_seconds()))


def _status(event: Event) -> TextLine:
    return (status_code(event.to_status or event.from_status),)


def elapsed(event: Event, facts: StuckFacts, words: Words) -> str:
    """Write how long the stage or the run lasts: of ``stuck`` until the poll that still showed it.

    Where no poll saw it begin, it lasts at least as long as it was seen.
    """
    after = event.before if event.kind is Kind.STUCK else event.after
    if not facts.begin_seen:
        return words.text(
            Phrase.AT_LEAST, duration=words.duration(max((after - facts.since.before).total_seconds(), 0))
        )
    return span_since(facts.since, after, event.before, words)


def _lasts(event: Event, facts: StuckFacts, words: Words) -> TextLine:
    status, duration = _status(event), elapsed(event, facts, words)
    if facts.usual is None:
        return words.say(Phrase.RUN_FOR if facts.whole_run else Phrase.STAGE_FOR, status=status, duration=duration)
    longest = facts.usual.longest.total_seconds()
    return words.say(
        Phrase.RUN_FOR_USUAL if facts.whole_run else Phrase.STAGE_FOR_USUAL,
        status=status,
        duration=duration,
        longest=words.duration_range(longest, longest),
        **usual_values(facts.usual, words),
    )


def _moved(event: Event, words: Words) -> TextLine:
    change, facts = change_line(event, words), event.stuck
    if facts is None:
        return change
    duration = elapsed(event, facts, words)
    if facts.usual is None:
        return words.say(Phrase.MOVED_RUN if facts.whole_run else Phrase.MOVED, change=change, duration=duration)
    return words.say(
        Phrase.MOVED_RUN_USUAL if facts.whole_run else Phrase.MOVED_USUAL,
        change=change,
        duration=duration,
        **usual_values(facts.usual, words),
    )
