"""The text about failing receivers and dead letters: receiver, time, reason and remedy."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, assert_never

from watcher.core.delivery.facts import ReceiverFacts, Remedy, RemedyCode
from watcher.core.event import SHORT_ID_LENGTH, Event, Kind
from watcher.core.messages.text import Bounds, TextLine, code, cut_note, one_line, span_text

REASON_LIMIT: Final = 300
ANSWER_LIMIT: Final = 200
REMEDY_LIMIT: Final = 400
DEAD_LETTERS_SHOWN: Final = 8
"""Dead letters that a message names; ``deliveries`` lists all of them."""
REMOVED_REMEDY: Final = (
    "The configuration no longer has this receiver. Add it again under this name and run `aitems-watcher reload`, or "
    "end its deliveries with `aitems-watcher deliveries drop`."
)
PARKED_REMEDY: Final = (
    "Fix the cause that the reason names, then run `aitems-watcher reload`. Restart the watcher where the secret comes "
    "from env or credential. Until then the watcher tries this receiver once an hour."
)
FAILING_REMEDY: Final = (
    "Repair the receiver, or the way to it: `aitems-watcher test` shows its answer. The watcher keeps trying each "
    "message."
)
URGENT_SHOWN: Final = 10
"""Urgent events that a message about a failing receiver names."""


def remedy_text(remedy: Remedy, receiver: str) -> str:
    """Write a remedy for people; for dead letters it is a command.

    Args:
        remedy: the code and its parameter.
        receiver: the name of the receiver that needs the remedy.
    """
    match remedy.code:
        case RemedyCode.PARKED:
            return PARKED_REMEDY
        case RemedyCode.REMOVED:
            return REMOVED_REMEDY
        case RemedyCode.FAILING:
            return FAILING_REMEDY
        case RemedyCode.RETRY:
            which = remedy.delivery_id or f"--all-dead --receiver {receiver}"
            return f"aitems-watcher deliveries retry {which}"
        case _:
            assert_never(remedy.code)


def subject_line(facts: ReceiverFacts) -> TextLine:
    """Return the receiver that an event is about."""
    return ("receiver ", code(facts.name))


def lines(event: Event, facts: ReceiverFacts) -> Iterable[TextLine]:
    """Return the lines about a receiver, the most important first."""
    match event.kind:
        case Kind.RECEIVER_RECOVERED:
            return _recovered(event, facts)
        case Kind.UNDELIVERED:
            return _undelivered(event, facts)
        case _:
            return _failing(facts)


def _failing(facts: ReceiverFacts) -> Iterable[TextLine]:
    parked = facts.remedy is None or facts.remedy.code is not RemedyCode.FAILING
    began = "Failing permanently since " if parked else "Nothing was delivered since "
    yield (began, facts.since, f"; {_counted(facts.waiting or 0)}.")
    yield ("Reason: ", code(facts.reason, REASON_LIMIT), ".")
    if facts.answer:
        yield ("Answer: ", code(facts.answer, ANSWER_LIMIT))
    if facts.remedy is not None:
        yield (f"Remedy: {one_line(remedy_text(facts.remedy, facts.name), REMEDY_LIMIT)}",)
    yield from _urgent(facts)
    yield ("A delivery that waits longer than [delivery] give_up_after becomes a dead letter.",)


def _urgent(facts: ReceiverFacts) -> Iterable[TextLine]:
    if facts.urgent:
        yield ("Urgent messages that wait:",)
    for item in facts.urgent[:URGENT_SHOWN]:
        yield ("· ", code(item.id[:SHORT_ID_LENGTH]), " ", code(item.about, REASON_LIMIT))


def _recovered(event: Event, facts: ReceiverFacts) -> Iterable[TextLine]:
    bounds = Bounds.around(facts.since, event.before)
    span = "" if facts.lasted_seconds is None else f" ({span_text(facts.lasted_seconds)})"
    yield ("It failed from ", bounds.after, " to ", bounds.before, f"{span}.")
    yield ("Reason: ", code(facts.reason, REASON_LIMIT), ".")
    if facts.waiting:
        yield ("The deliveries that waited are sent now, in order.",)


def _undelivered(event: Event, facts: ReceiverFacts) -> Iterable[TextLine]:
    if facts.count == 1:
        yield ("1 delivery became a dead letter at ", event.before, "; it was created at ", facts.since, ".")
    else:
        became = f"{facts.count} deliveries became dead letters by "
        yield (became, event.before, "; the oldest was created at ", facts.since, ".")
    yield ("Reason: ", code(facts.reason, REASON_LIMIT), ".")
    yield from _dead_letters(facts)
    if facts.remedy is not None:
        command = code(remedy_text(facts.remedy, facts.name), REMEDY_LIMIT)
        yield ("Remedy: fix the cause that the reason names, then run ", command, ".")


def _dead_letters(facts: ReceiverFacts) -> Iterable[TextLine]:
    for dead_letter in facts.deliveries[:DEAD_LETTERS_SHOWN]:
        yield ("· ", code(short_delivery_id(dead_letter.id)), " ", code(dead_letter.about, REASON_LIMIT))
    more = facts.count - DEAD_LETTERS_SHOWN
    if more > 0:
        yield (cut_note(more),)


def _counted(waiting: int) -> str:
    return "1 delivery waits" if waiting == 1 else f"{waiting} deliveries wait"


def short_delivery_id(identity: str) -> str:
    """Return the beginning of a delivery's id, for a person to type, e.g. ``msg_01jdxq5k``."""
    return identity[:SHORT_ID_LENGTH]
