"""The words about receivers: what does not pass, since when, why, and what to do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from watcher.core.event import SHORT_ID_LENGTH, Event, Kind
from watcher.core.messages.text import Bounds, TextLine, code, cut_note, one_line, span_text
from watcher.core.timestamps import from_text

REASON_LIMIT: Final = 300
ANSWER_LIMIT: Final = 200
REMEDY_LIMIT: Final = 400
DEAD_LETTERS_SHOWN: Final = 8
"""Dead letters that a message names; the command lists them all."""

Facts = Mapping[str, object]
"""An event's ``receiver``, see ``core.receiver_health``."""


def subject_line(event: Event) -> TextLine:
    """Return which receiver an event is about."""
    return ("receiver ", code(_facts(event).get("name")))


def lines(event: Event) -> Iterable[TextLine]:
    """Return what is said about a receiver, the weightiest first."""
    match event.kind:
        case Kind.RECEIVER_RECOVERED:
            return _recovered(event, _facts(event))
        case Kind.UNDELIVERED:
            return _undelivered(event, _facts(event))
        case _:
            return _failing_receivers(_facts(event))


def _facts(event: Event) -> Facts:
    return event.receiver or {}


def _failing_receivers(facts: Facts) -> Iterable[TextLine]:
    yield ("It refuses for good since ", from_text(str(facts["since"])), f"; {_counted(facts.get('waiting'))} for it.")
    yield from _why(facts)
    yield (f"What to do: {one_line(str(facts.get('remedy')), REMEDY_LIMIT)}",)
    yield ("What waits is kept until [delivery] give_up_after has passed, then it becomes a dead letter.",)


def _recovered(event: Event, facts: Facts) -> Iterable[TextLine]:
    bounds = Bounds.around(from_text(str(facts["since"])), event.before)
    seconds = facts.get("lasted_seconds")
    span = f" ({span_text(seconds)})" if isinstance(seconds, int | float) else ""
    yield ("It refused everything from ", bounds.after, " to ", bounds.before, f"{span}.")
    yield ("Why: ", code(facts.get("reason"), REASON_LIMIT), ".")
    if facts.get("waiting"):
        yield ("What waited for it goes out now, in order.",)


def _undelivered(event: Event, facts: Facts) -> Iterable[TextLine]:
    count = facts.get("count")
    since = from_text(str(facts["since"]))
    if count == 1:
        yield ("1 delivery to it was given up at ", event.before, "; it was made at ", since, ".")
    else:
        yield (f"{count} deliveries to it were given up by ", event.before, "; the oldest was made at ", since, ".")
    yield ("Why: ", code(facts.get("reason"), REASON_LIMIT), ".")
    yield from _dead_letters(facts)
    yield ("What to do: mend what the reason names, then run ", code(facts.get("remedy"), REMEDY_LIMIT), ".")


def _dead_letters(facts: Facts) -> Iterable[TextLine]:
    listed = facts.get("deliveries")
    dead_letters: Sequence[object] = listed if isinstance(listed, Sequence) else ()
    for dead_letter in dead_letters[:DEAD_LETTERS_SHOWN]:
        if isinstance(dead_letter, Mapping):
            yield (
                "· ",
                code(short_delivery_id(str(dead_letter.get("id")))),
                " ",
                code(dead_letter.get("about"), REASON_LIMIT),
            )
    count = facts.get("count")
    more = (count if isinstance(count, int) else len(dead_letters)) - DEAD_LETTERS_SHOWN
    if more > 0:
        yield (cut_note(more),)


def _why(facts: Facts) -> Iterable[TextLine]:
    yield ("Why: ", code(facts.get("reason"), REASON_LIMIT), ".")
    if facts.get("answer"):
        yield ("Its answer: ", code(facts.get("answer"), ANSWER_LIMIT))


def _counted(waiting: object) -> str:
    return "1 delivery waits" if waiting == 1 else f"{waiting} deliveries wait"


def short_delivery_id(identity: str) -> str:
    """Return the beginning of a delivery's id that a person may type, e.g. ``msg_01jdxq5k``."""
    return identity[:SHORT_ID_LENGTH]
